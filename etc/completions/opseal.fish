# fish completion for opseal(1).  What can stand at the cursor, opseal itself says.

function __opseal_complete
    set -l typed (commandline -opc)[2..-1]
    set -l cur (commandline -ct | string unescape)
    for line in (command opseal __complete $typed "$cur" 2>/dev/null)
        switch $line
            case \tfiles \tfolders
                set -l before (string match -r -- '^--[^=]*=' "$cur")
                set -l path (string replace -r -- '^--[^=]*=' '' "$cur")
                set -l list __fish_complete_path
                test $line = \tfolders; and set list __fish_complete_directories
                for found in ($list "$path")
                    echo -- "$before$found"
                end
            case \tusers
                __fish_complete_users
            case \tgroups
                __fish_complete_groups
            case \tprograms
                __fish_complete_command
            case '*'
                echo -- $line
        end
    end
end

complete -c opseal -f -k -a '(__opseal_complete)'
