// gocheck - check a log of opseal with Go's own transparency log library.
//
// Nothing here knows opseal: notes are opened by golang.org/x/mod/sumdb/note,
// tiles are authenticated and proofs made and checked by sumdb/tlog.  Only the
// paths of tiles and the framing of entries are ours, as C2SP tlog-tiles says.
//
// usage: gocheck LOG VKEY [OLD-CHECKPOINT...]
//
// LOG is a folder with checkpoint and tile/.  Prints one line; exit status 1
// if anything doesn't verify.
package main

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io/fs"
	"log"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8
const width = 1 << height

// group writes n as tlog-tiles does: 1234067 is x001/x234/067.
func group(n int64) string {
	text := fmt.Sprintf("%03d", n%1000)
	for n >= 1000 {
		n /= 1000
		text = fmt.Sprintf("x%03d/%s", n%1000, text)
	}
	return text
}

func tilePath(dir, level string, n int64, w int) string {
	path := filepath.Join(dir, "tile", level, group(n))
	if w < width {
		path += ".p/" + strconv.Itoa(w)
	}
	return path
}

// openCheckpoint gives the tree that a signed checkpoint states.
func openCheckpoint(path string, key note.Verifier) (tlog.Tree, error) {
	var tree tlog.Tree
	data, err := os.ReadFile(path)
	if err != nil {
		return tree, err
	}
	n, err := note.Open(data, note.VerifierList(key))
	if err != nil {
		return tree, err
	}
	lines := strings.Split(n.Text, "\n")
	if len(lines) != 4 || lines[3] != "" || lines[0] != key.Name() {
		return tree, fmt.Errorf("malformed body %q", n.Text)
	}
	tree.N, err = strconv.ParseInt(lines[1], 10, 64)
	if err != nil || strconv.FormatInt(tree.N, 10) != lines[1] {
		return tree, fmt.Errorf("bad size %q", lines[1])
	}
	root, err := base64.StdEncoding.Strict().DecodeString(lines[2])
	if err != nil || len(root) != tlog.HashSize {
		return tree, fmt.Errorf("bad root %q", lines[2])
	}
	copy(tree.Hash[:], root)
	return tree, nil
}

// tiles reads tiles for tlog.TileHashReader, which checks them against the root.
type tiles struct{ dir string }

func (t tiles) Height() int                     { return height }
func (t tiles) SaveTiles([]tlog.Tile, [][]byte) {}

func (t tiles) ReadTiles(want []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range want {
		data, err := os.ReadFile(tilePath(t.dir, strconv.Itoa(tile.L), tile.N, tile.W))
		if err != nil {
			return nil, err
		}
		if len(data) != tile.W*tlog.HashSize {
			return nil, fmt.Errorf("tile %v has %d bytes", tile, len(data))
		}
		all = append(all, data)
	}
	return all, nil
}

// readEntries gives the leaves of the first size entries.
func readEntries(dir string, size int64) ([][]byte, error) {
	var entries [][]byte
	for int64(len(entries)) < size {
		w := width
		if left := size - int64(len(entries)); left < width {
			w = int(left)
		}
		path := tilePath(dir, "entries", int64(len(entries)/width), w)
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		for ; w > 0; w-- {
			if len(data) < 2 || len(data)-2 < int(binary.BigEndian.Uint16(data)) {
				return nil, fmt.Errorf("%s: too short", path)
			}
			n := int(binary.BigEndian.Uint16(data))
			entries = append(entries, data[2:2+n])
			data = data[2+n:]
		}
		if len(data) > 0 {
			return nil, fmt.Errorf("%s: %d bytes too many", path, len(data))
		}
	}
	return entries, nil
}

// rebuild computes every stored hash of the log from its entries.
func rebuild(entries [][]byte) (tlog.HashReaderFunc, error) {
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		var list []tlog.Hash
		for _, i := range indexes {
			if i >= int64(len(stored)) {
				return nil, fmt.Errorf("hash %d is beyond the log", i)
			}
			list = append(list, stored[i])
		}
		return list, nil
	})
	for i, entry := range entries {
		more, err := tlog.StoredHashes(int64(i), entry, reader)
		if err != nil {
			return nil, err
		}
		stored = append(stored, more...)
	}
	return reader, nil
}

// parsePath is the reverse of tilePath; level -1 stands for entries.
func parsePath(rel string) (tile tlog.Tile, err error) {
	tile.H, tile.W = height, width
	parts := strings.Split(rel, "/")
	if parts[0] == "entries" {
		tile.L = -1
	} else if tile.L, err = strconv.Atoi(parts[0]); err != nil {
		return tile, err
	}
	last := len(parts) - 1
	if last >= 2 && strings.HasSuffix(parts[last-1], ".p") {
		if tile.W, err = strconv.Atoi(parts[last]); err != nil {
			return tile, err
		}
		parts[last-1] = strings.TrimSuffix(parts[last-1], ".p")
		parts = parts[:last]
	}
	for i, part := range parts[1:] {
		digits := part
		if i+2 < len(parts) {
			digits = strings.TrimPrefix(part, "x")
		}
		n, err := strconv.ParseInt(digits, 10, 64)
		if err != nil || len(digits) != 3 {
			return tile, fmt.Errorf("%s is no tile's path", rel)
		}
		tile.N = tile.N*1000 + n
	}
	return tile, nil
}

// checkFiles compares every tile there is, also partial ones of older sizes.
func checkFiles(dir string, reader tlog.HashReader, entries [][]byte) (int, error) {
	count := 0
	base := filepath.Join(dir, "tile")
	err := filepath.WalkDir(base, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, _ := filepath.Rel(base, path)
		tile, err := parsePath(rel)
		if err != nil {
			return err
		}
		var want []byte
		if tile.L >= 0 {
			if want, err = tlog.ReadTileData(tile, reader); err != nil {
				return fmt.Errorf("%s: %v", rel, err)
			}
		} else {
			for i := tile.N * width; i < tile.N*width+int64(tile.W); i++ {
				if i >= int64(len(entries)) {
					return fmt.Errorf("%s is beyond the log", rel)
				}
				want = binary.BigEndian.AppendUint16(want, uint16(len(entries[i])))
				want = append(want, entries[i]...)
			}
		}
		got, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if string(got) != string(want) {
			return fmt.Errorf("%s differs", rel)
		}
		count++
		return nil
	})
	return count, err
}

// checkRecords proves every entry to be in the tree, from the tiles.
func checkRecords(tree tlog.Tree, reader tlog.HashReader, entries [][]byte) error {
	for i, entry := range entries {
		proof, err := tlog.ProveRecord(tree.N, int64(i), reader)
		if err == nil {
			err = tlog.CheckRecord(proof, tree.N, tree.Hash, int64(i), tlog.RecordHash(entry))
		}
		if err != nil {
			return fmt.Errorf("entry %d: %v", i, err)
		}
	}
	return nil
}

func checkOlder(path string, key note.Verifier, tree tlog.Tree, reader tlog.HashReader) error {
	old, err := openCheckpoint(path, key)
	if err != nil {
		return err
	}
	proof, err := tlog.ProveTree(tree.N, old.N, reader)
	if err != nil {
		return err
	}
	return tlog.CheckTree(proof, tree.N, tree.Hash, old.N, old.Hash)
}

func check(dir, vkey string, older []string) (string, error) {
	key, err := note.NewVerifier(vkey)
	if err != nil {
		return "", err
	}
	tree, err := openCheckpoint(filepath.Join(dir, "checkpoint"), key)
	if err != nil {
		return "", fmt.Errorf("checkpoint: %v", err)
	}
	reader := tlog.TileHashReader(tree, tiles{dir})
	root, err := tlog.TreeHash(tree.N, reader)
	if err != nil {
		return "", fmt.Errorf("tiles: %v", err)
	}
	if root != tree.Hash {
		return "", fmt.Errorf("root from tiles is %v, signed is %v", root, tree.Hash)
	}
	entries, err := readEntries(dir, tree.N)
	if err != nil {
		return "", fmt.Errorf("entries: %v", err)
	}
	if err := checkRecords(tree, reader, entries); err != nil {
		return "", err
	}
	own, err := rebuild(entries)
	if err != nil {
		return "", err
	}
	files, err := checkFiles(dir, own, entries)
	if err != nil {
		return "", fmt.Errorf("tiles: %v", err)
	}
	for _, path := range older {
		if err := checkOlder(path, key, tree, reader); err != nil {
			return "", fmt.Errorf("%s: %v", path, err)
		}
	}
	return fmt.Sprintf("ok: size %d, %d tiles, %d older checkpoints", tree.N, files, len(older)), nil
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("gocheck: ")
	if len(os.Args) < 3 {
		log.Fatal("usage: gocheck LOG VKEY [OLD-CHECKPOINT...]")
	}
	line, err := check(os.Args[1], os.Args[2], os.Args[3:])
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(line)
}
