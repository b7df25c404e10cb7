#include "check.h"

#include <time.h>

#include "capture_mask.h"

static struct mask *m;

/* Arguments joined by '|'; what is masked stands as <N> in the answer. */
static char *
masked(const char *joined)
{
	static char text[1024];
	uint8_t args[512];
	struct ops_buf out = { .max = 4096 };
	size_t n = strlen(joined) + 1, at = 0;

	memcpy(args, joined, n);
	for (size_t i = 0; i < n; i++)
		args[i] = args[i] == '|' ? 0 : args[i];
	(void)mask_args(m, args, n, &out);
	assert_false(out.failed);
	for (size_t i = 0; i < out.len; i++) {
		const char *p = (const char *)out.data + i;
		unsigned long len;
		char *end;

		if (out.len - i > 8 && memcmp(p, "[masked ", 8) == 0) {
			len = strtoul(p + 8, &end, 10);
			assert_int_equal(*end, ' ');
			assert_int_equal(end[13], ']');
			at += (size_t)snprintf(
			    text + at, sizeof(text) - at, "<%lu>", len);
			i += (size_t)(end + 13 - p);
		} else {
			text[at] = *p;
			if (*p == 0)
				text[at] = '|';
			at++;
		}
	}
	text[at - 1] = '\0'; /* for the last NUL */
	ops_buf_free(&out);
	return text;
}

struct row {
	const char *args, *want;
};

static void
check_rows(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		assert_string_equal(masked(rows[i].args), rows[i].want);
}

static void
test_rules(void **state)
{
	static const struct row rows[] = {
		{ "ls|-l", "ls|-l" },
		{ "x|--password=hunter2", "x|--password=<7>" },
		{ "x|--password=two words", "x|--password=<9>" },
		{ "x|--PassWord=h", "x|--PassWord=<1>" },
		{ "x|--password|hunter2|y", "x|--password|<7>|y" },
		{ "x|--password|--verbose", "x|--password|--verbose" },
		{ "x|--password||y", "x|--password||y" },
		{ "x|-password|h|y", "x|-password|<1>|y" },
		{ "x|--passwordless=1", "x|--passwordless=1" },
		{ "mysql|-psecret|db", "mysql|-p<6>|db" },
		{ "/usr/bin/mysql|-u|root|-psecret",
		    "/usr/bin/mysql|-u|root|-p<6>" },
		{ "mysql|-p|db", "mysql|-p|db" },
		{ "tar|-psecret", "tar|-psecret" },
		{ "sshpass|-p|secret|ssh|h", "sshpass|-p|<6>|ssh|h" },
		{ "curl|-u|me:pw|http://h/", "curl|-u|me:<2>|http://h/" },
		{ "env|PGPASSWORD=x y|psql", "env|PGPASSWORD=<3>|psql" },
		{ "env|AWS_SECRET_ACCESS_KEY=abc|cmd",
		    "env|AWS_SECRET_ACCESS_KEY=<3>|cmd" },
		{ "git|clone|https://me:tok@host/x",
		    "git|clone|https://me:<3>@host/x" },
		{ "git|clone|https://me:t@k@host/x",
		    "git|clone|https://me:<3>@host/x" },
		{ "x|--proxy=http://me:pw@h/|URL=db://me:pwd@h",
		    "x|--proxy=http://me:<2>@h/|URL=db://me:<3>@h" },
		{ "git|clone|https://host:80/a@b",
		    "git|clone|https://host:80/a@b" },
		{ "curl|-H|Authorization: Bearer abc.def",
		    "curl|-H|Authorization: Bearer <7>" },
		{ "sh|-c|curl -H \"Authorization: Bearer \"abc123 http://h",
		    "sh|-c|curl -H \"Authorization: Bearer \"<6> http://h" },
		{ "x|AKIAIOSFODNN7EXAMPLE", "x|AKIA<16>" },
		{ "x|AKIASHORT", "x|AKIASHORT" },
		{ "openssl|rsa|-passin|pass:abc",
		    "openssl|rsa|-passin|pass:<3>" },
		{ "sh|-c|mysql -psecret db; ls -l",
		    "sh|-c|mysql -p<6> db; ls -l" },
		{ "sh|-c|PASSWORD=abc make all",
		    "sh|-c|PASSWORD=<3> make all" },
		{ "sh|-c|x --password 'a b' y", "sh|-c|x --password <5> y" },
		{ "sh|-c|x --password=\"a b\" y", "sh|-c|x --password=<5> y" },
		{ "ssh|host|mysql -psecret", "ssh|host|mysql -p<6>" },
		{ "su|-c|curl -u me:pw http://h",
		    "su|-c|curl -u me:<2> http://h" },
	};

	(void)state;
	check_rows(rows, sizeof(rows) / sizeof(rows[0]));
}

/* What is known to have been in logs. */
static void
test_programs(void **state)
{
	/* clang-format off */
	static const struct row rows[] = {
		{ "curl|--user|u:p|h", "curl|--user|u:<1>|h" },
		{ "curl|--user=u:p|h", "curl|--user=u:<1>|h" },
		{ "curl|--proxy-user|u:p|h", "curl|--proxy-user|u:<1>|h" },
		{ "curl|-uu:p|h", "curl|-uu:<1>|h" },
		{ "curl|-sSu|u:p|h", "curl|-sSu|u:<1>|h" },
		{ "curl|-sSuu:p|h", "curl|-sSuu:<1>|h" },
		{ "curl|-u|u|h", "curl|-u|u|h" },
		{ "curl|-ofu|u:p", "curl|-ofu|u:p" },
		{ "curl|-b|sid=abc|h", "curl|-b|sid=<3>|h" },
		{ "curl|-H|Cookie: a=b; c=d", "curl|-H|Cookie: <8>" },
		{ "curl|-H|X-Vault-Token: abc", "curl|-H|X-Vault-Token: <3>" },
		{ "curl|-H|Authorization: Basic abc=", "curl|-H|Authorization: Basic <4>" },
		{ "curl|-H|authorization: Digest a, b", "curl|-H|authorization: <11>" },
		{ "curl|-d|{\"password\":\"a\\\"b\",\"x\":1}", "curl|-d|{\"password\":\"<4>\",\"x\":1}" },
		{ "curl|-d|{ \"api_key\" : 12, \"x\":1}", "curl|-d|{ \"api_key\" : <2>, \"x\":1}" },
		{ "curl|-d|{\"token\":{\"password\":\"a\"}}", "curl|-d|{\"token\":{\"password\":\"<1>\"}}" },
		{ "curl|-d|{\"password\":\"\",\"x\":\"y\"}", "curl|-d|{\"password\":\"\",\"x\":\"y\"}" },
		{ "sh|-c|curl -d '{\"password\":\"x y\"}' h; mysql -pq",
		    "sh|-c|curl -d '{\"password\":\"<3>\"}' h; mysql -p<1>" },
		{ "sh|-c|curl -d \"{\\\"password\\\":\\\"x\\\"}\"", "sh|-c|curl -d \"{\\\"password\\\":\\\"<1>\\\"}\"" },
		{ "python3|-c|f({'password': 'x'})", "python3|-c|f({'password': '<1>'})" },
		{ "curl|http://h/?a=1&access_token=X&b=2", "curl|http://h/?a=1&access_token=<1>&b=2" },
		{ "curl|http://h/?access_token=X&b=2#c", "curl|http://h/?access_token=<1>&b=2#c" },
		{ "curl|-d|user=a&password=b&c=d", "curl|-d|user=a&password=<1>&c=d" },
		{ "http|-a|u:p|h", "http|-a|u:<1>|h" },
		{ "docker|login|-u|me|-p|X|r", "docker|login|-u|me|-p|<1>|r" },
		{ "docker|login|--password|X", "docker|login|--password|<1>" },
		{ "sudo|docker|login|-p|X", "sudo|docker|login|-p|<1>" },
		{ "helm|registry|login|-p|X", "helm|registry|login|-p|<1>" },
		{ "skopeo|copy|--src-creds|u:p|a", "skopeo|copy|--src-creds|u:<1>|a" },
		{ "mount|-o|username=a,password=X", "mount|-o|username=a,password=<1>" },
		{ "mount|-o|user=a,password=X,vers=3", "mount|-o|user=a,password=<1>,vers=3" },
		{ "mysqlcheck|-pX", "mysqlcheck|-p<1>" },
		{ "mysqlimport|-pX", "mysqlimport|-p<1>" },
		{ "mysqlshow|-pX", "mysqlshow|-p<1>" },
		{ "mysqladmin|-pX", "mysqladmin|-p<1>" },
		{ "mysqldump|-pX|db", "mysqldump|-p<1>|db" },
		{ "mysql|-BNpX|db", "mysql|-BNp<1>|db" },
		{ "mysql|db|-pX", "mysql|db|-p<1>" },
		{ "sudo|-u|root|mysql|-u|root|-pX", "sudo|-u|root|mysql|-u|root|-p<1>" },
		{ "sh|-c|mysql -u root -e 'a; b' -pX", "sh|-c|mysql -u root -e 'a; b' -p<1>" },
		{ "sh|-c|if true; then A=b mysql -u r -pX; fi", "sh|-c|if true; then A=b mysql -u r -p<2> fi" },
		{ "ssh|-p|22|h|mysql|-u|r|-pX", "ssh|-p|22|h|mysql|-u|r|-p<1>" },
		{ "docker|exec|-it|c|mysql|-pX", "docker|exec|-it|c|mysql|-p<1>" },
		{ "sudo|curl|-H|A: b|-u|u:p", "sudo|curl|-H|A: b|-u|u:<1>" },
		{ "7z|a|-pX|x.7z", "7z|a|-p<1>|x.7z" },
		{ "rar|a|-hpX|x", "rar|a|-hp<1>|x" },
		{ "zip|-P|X|a.zip|f", "zip|-P|<1>|a.zip|f" },
		{ "zip|-rP|X|a.zip|f", "zip|-rP|<1>|a.zip|f" },
		{ "unzip|-qoP|X|a.zip", "unzip|-qoP|<1>|a.zip" },
		{ "sshpass|-p|X|ssh|h", "sshpass|-p|<1>|ssh|h" },
		{ "sshpass|-pX|ssh|h", "sshpass|-p<1>|ssh|h" },
		{ "x|--root-password|X|y", "x|--root-password|<1>|y" },
		{ "x|--root_password=X", "x|--root_password=<1>" },
		{ "x|--aws-secret-access-key=X", "x|--aws-secret-access-key=<1>" },
		{ "aws|configure|set|aws_secret_access_key|X", "aws|configure|set|aws_secret_access_key|<1>" },
		{ "aws|configure|set|p.aws_secret_access_key|X", "aws|configure|set|p.aws_secret_access_key|<1>" },
		{ "env|MYSQL_PWD=x|mysql", "env|MYSQL_PWD=<1>|mysql" },
		{ "env|PGPASSWORD=x|psql", "env|PGPASSWORD=<1>|psql" },
		{ "docker|run|-e|DB_PASSWORD=x|i", "docker|run|-e|DB_PASSWORD=<1>|i" },
		{ "docker|run|--env=DB_PASSWORD=x|i", "docker|run|--env=DB_PASSWORD=<1>|i" },
		{ "helm|install|--set|a=b,auth.password=x,c=d", "helm|install|--set|a=b,auth.password=<1>,c=d" },
		{ "kubectl|create|secret|generic|s|--from-literal=k=v", "kubectl|create|secret|generic|s|--from-literal=k=<1>" },
		{ "ldapsearch|-x|-w|X", "ldapsearch|-x|-w|<1>" },
		{ "ldapsearch|-xw|X", "ldapsearch|-xw|<1>" },
		{ "smbclient|//h/s|-U|u%p", "smbclient|//h/s|-U|u%<1>" },
		{ "htpasswd|-b|f|u|X", "htpasswd|-b|f|u|<1>" },
		{ "htpasswd|-nbB|u|X", "htpasswd|-nbB|u|<1>" },
		{ "htpasswd|-c|f|u", "htpasswd|-c|f|u" },
		{ "sh|-c|htpasswd -b f u X >o; ls", "sh|-c|htpasswd -b f u <1> >o; ls" },
		{ "sh|-c|htpasswd -b f u X 2>&1", "sh|-c|htpasswd -b f u <1> 2>&1" },
		{ "openssl|x509|-passin|pass:X", "openssl|x509|-passin|pass:<1>" },
		{ "openssl|enc|-k|X", "openssl|enc|-k|<1>" },
		{ "keytool|-storepass|X", "keytool|-storepass|<1>" },
		{ "psql|host=h password=X user=u", "psql|host=h password=<1> user=u" },
		{ "psql|host=h password='a b' user=u", "psql|host=h password=<5> user=u" },
		{ "psql|postgresql://u:p@h/d", "psql|postgresql://u:<1>@h/d" },
		{ "java|jdbc:mysql://u:p@h/d", "java|jdbc:mysql://u:<1>@h/d" },
		{ "redis-cli|-a|X|get|k", "redis-cli|-a|<1>|get|k" },
		{ "redis-cli|auth|X", "redis-cli|auth|<1>" },
		{ "ssh-keygen|-t|rsa|-N|my pass|-f|k", "ssh-keygen|-t|rsa|-N|<7>|-f|k" },
		{ "x|--password|two words", "x|--password|<9>" },
	};
	/* clang-format on */

	(void)state;
	check_rows(rows, sizeof(rows) / sizeof(rows[0]));
}

/* Each with something like it that is no secret. */
static void
test_clients(void **state)
{
	/* clang-format off */
	static const struct row rows[] = {
		/* texts at the begin of a word, to its end */
		{ "openssl|rsa|-passin|pass:Tr0ub4dor&3", "openssl|rsa|-passin|pass:<11>" },
		{ "openssl|rsa|-passout|pass:!x", "openssl|rsa|-passout|pass:<2>" },
		{ "openssl|rsa|-passin|pass:a b'c", "openssl|rsa|-passin|pass:<5>" },
		{ "openssl|enc|-pass|pass:a&b", "openssl|enc|-pass|<8>" },
		{ "openssl|rsa|-passin|file:/etc/a", "openssl|rsa|-passin|file:/etc/a" },
		{ "sh|-c|openssl rsa -passin 'pass:a&b' -in k", "sh|-c|openssl rsa -passin 'pass:<3>' -in k" },
		{ "sh|-c|openssl rsa -passin \"pass:a b\" -in k", "sh|-c|openssl rsa -passin \"pass:<3>\" -in k" },
		{ "sh|-c|openssl rsa -passin pass:'a b' -in k", "sh|-c|openssl rsa -passin pass:<5> -in k" },
		{ "sh|-c|grep pass: file; echo \"pass: x\"", "sh|-c|grep pass: file; echo \"pass: x\"" },
		{ "git|commit|-m|pass: what was given", "git|commit|-m|pass: what was given" },
		{ "docker|pull|a/compass:latest", "docker|pull|a/compass:latest" },
		/* databases */
		{ "mysqladmin|-u|root|password|NEW", "mysqladmin|-u|root|password|<3>" },
		{ "sh|-c|mysqladmin -u root password 'a b'; ls", "sh|-c|mysqladmin -u root password <5>; ls" },
		{ "mysqladmin|-u|root|status|NEW", "mysqladmin|-u|root|status|NEW" },
		{ "mysql|-e|CREATE USER a IDENTIFIED BY 'a b'", "mysql|-e|CREATE USER a IDENTIFIED BY <5>" },
		{ "mysql|-e|create user a identified by 'x';", "mysql|-e|create user a identified by <3>;" },
		{ "mysql|-e|ALTER USER a IDENTIFIED WITH mysql_native_password BY 'x'",
		    "mysql|-e|ALTER USER a IDENTIFIED WITH mysql_native_password BY <3>" },
		{ "mysql|-e|GRANT ALL ON a.* TO b IDENTIFIED BY PASSWORD '*AB'",
		    "mysql|-e|GRANT ALL ON a.* TO b IDENTIFIED BY PASSWORD <5>" },
		{ "mysql|-e|SET PASSWORD FOR a@b = 'x'", "mysql|-e|SET PASSWORD FOR a@b = <3>" },
		{ "mysql|-e|SET PASSWORD = PASSWORD('x'); SELECT 1", "mysql|-e|SET PASSWORD = PASSWORD(<3>); SELECT 1" },
		{ "mysql|-e|UPDATE t SET a = 'x'", "mysql|-e|UPDATE t SET a = 'x'" },
		{ "psql|-c|ALTER ROLE a WITH PASSWORD 'x y' LOGIN", "psql|-c|ALTER ROLE a WITH PASSWORD <5> LOGIN" },
		{ "psql|-c|alter user a password 'x'", "psql|-c|alter user a password <3>" },
		{ "sh|-c|psql -c \"CREATE ROLE a LOGIN PASSWORD 'x'\"", "sh|-c|psql -c \"CREATE ROLE a LOGIN PASSWORD <3>\"" },
		{ "sh|-c|echo \"ALTER USER a WITH ENCRYPTED PASSWORD 'x'\" I psql",
		    "sh|-c|echo \"ALTER USER a WITH ENCRYPTED PASSWORD <3>\" I psql" },
		{ "psql|-c|SELECT password FROM users", "psql|-c|SELECT password FROM users" },
		{ "psql|-c|ALTER TABLE users ADD password text", "psql|-c|ALTER TABLE users ADD password text" },
		{ "sh|-c|grep -r password '/etc/a b'", "sh|-c|grep -r password '/etc/a b'" },
		{ "git|commit|-m|a form with password and name", "git|commit|-m|a form with password and name" },
		{ "sh|-c|grep -rn \"IDENTIFIED BY \" a/b I head", "sh|-c|grep -rn \"IDENTIFIED BY \" a/b I head" },
		{ "redis-server|--requirepass|X", "redis-server|--requirepass|<1>" },
		{ "redis-server|--masterauth|X|--port|1", "redis-server|--masterauth|<1>|--port|1" },
		{ "redis-cli|config|set|requirepass|X", "redis-cli|config|set|requirepass|<1>" },
		{ "redis-cli|CONFIG|SET|masterauth|X", "redis-cli|CONFIG|SET|masterauth|<1>" },
		{ "redis-cli|AUTH|u|X", "redis-cli|AUTH|<1>|<1>" },
		{ "redis-cli|config|set|maxmemory|1gb", "redis-cli|config|set|maxmemory|1gb" },
		{ "sqlplus|-s|scott/tiger@db|@/a/b.sql", "sqlplus|-s|scott/<5>@db|@/a/b.sql" },
		{ "sqlplus|scott/ti@er@//h:1521/s", "sqlplus|scott/<5>@//h:1521/s" },
		{ "sqlplus|scott/tiger", "sqlplus|scott/<5>" },
		{ "sqlplus|sys/a@db as sysdba", "sqlplus|sys/<1>@db as sysdba" },
		{ "sh|-c|sqlplus a/\"p@x\"@db; ls b/c", "sh|-c|sqlplus a/<5>@db; ls b/c" },
		{ "sudo|-u|oracle|/opt/o/bin/expdp|a/b@c|dumpfile=d/e", "sudo|-u|oracle|/opt/o/bin/expdp|a/<1>@c|dumpfile=d/e" },
		{ "sqlldr|userid=a/b@c|control=d/e.ctl", "sqlldr|userid=a/<1>@c|control=d/e.ctl" },
		{ "rman|target|a/b@c|log=/d/e", "rman|target|a/<1>@c|log=/d/e" },
		{ "rman|target=/|catalog=r/s@t", "rman|target=/|catalog=r/<1>@t" },
		{ "sqlplus|/|as|sysdba", "sqlplus|/|as|sysdba" },
		{ "sqlplus|/nolog|@a/b.sql", "sqlplus|/nolog|@a/b.sql" },
		{ "sqlplus|scott@//h:1521/s", "sqlplus|scott@//h:1521/s" },
		{ "mysqlsh|u:X@h:3306", "mysqlsh|u:<1>@h:3306" },
		{ "mysqlsh|u@h:3306", "mysqlsh|u@h:3306" },
		{ "influx|-precision|rfc3339|-username|u|-password|X", "influx|-precision|rfc3339|-username|u|-password|<1>" },
		{ "influx|setup|-u|u|-p|X|-t|T", "influx|setup|-u|u|-p|<1>|-t|<1>" },
		{ "influx|write|-p|ns", "influx|write|-p|ns" },
		{ "cqlsh|-u|u|-p|X|h", "cqlsh|-u|u|-p|<1>|h" },
		{ "neo4j-admin|dbms|set-initial-password|X", "neo4j-admin|dbms|set-initial-password|<1>" },
		{ "etcdctl|--user|root:X|get|k", "etcdctl|--user|root:<1>|get|k" },
		{ "etcdctl|--user|root|get|k:v", "etcdctl|--user|root|get|k:v" },
		{ "rabbitmqctl|add_user|u|X", "rabbitmqctl|add_user|u|<1>" },
		{ "rabbitmqctl|-n|a@b|change_password|u|X", "rabbitmqctl|-n|a@b|change_password|u|<1>" },
		{ "rabbitmqctl|set_user_tags|u|admin", "rabbitmqctl|set_user_tags|u|admin" },
		{ "mosquitto_pub|-u|u|-P|X|-p|1883|-t|a/b", "mosquitto_pub|-u|u|-P|<1>|-p|1883|-t|a/b" },
		{ "mosquitto_passwd|-b|f|u|X", "mosquitto_passwd|-b|f|u|<1>" },
		{ "mosquitto_passwd|-c|f|u", "mosquitto_passwd|-c|f|u" },
		{ "mongosh|-u|u|-p|X|--host|h", "mongosh|-u|u|-p|<1>|--host|h" },
		/* HashiCorp's, clouds, registries */
		{ "vault|operator|unseal|K", "vault|operator|unseal|<1>" },
		{ "vault|operator|unseal|-address=http://h:1|K", "vault|operator|unseal|-address=http://h:1|<1>" },
		{ "vault|login|hvs.abc", "vault|login|<7>" },
		{ "vault|operator|unseal", "vault|operator|unseal" },
		{ "vault|operator|init", "vault|operator|init" },
		{ "vault|kv|put|secret/a|key=X|b=@/c/d", "vault|kv|put|secret/a|key=<1>|b=@/c/d" },
		{ "vault|kv|get|-field=a|secret/a", "vault|kv|get|-field=a|secret/a" },
		{ "gh|secret|set|N|--body|X", "gh|secret|set|N|--body|<1>" },
		{ "gh|secret|set|N|-b|X", "gh|secret|set|N|-b|<1>" },
		{ "gh|pr|create|--body|X|-b|Y", "gh|pr|create|--body|X|-b|Y" },
		{ "aws|secretsmanager|create-secret|--name|n|--secret-string|X", "aws|secretsmanager|create-secret|--name|n|--secret-string|<1>" },
		{ "aws|secretsmanager|get-secret-value|--secret-id|n", "aws|secretsmanager|get-secret-value|--secret-id|n" },
		{ "aws|ssm|put-parameter|--name|n|--value|X", "aws|ssm|put-parameter|--name|n|--value|<1>" },
		{ "aws|ssm|get-parameter|--value|X", "aws|ssm|get-parameter|--value|X" },
		{ "tailscale|up|--auth-key|X", "tailscale|up|--auth-key|<1>" },
		{ "tailscale|up|--authkey=X", "tailscale|up|--authkey=<1>" },
		{ "tailscale|up|--hostname|X", "tailscale|up|--hostname|X" },
		{ "az|keyvault|secret|set|--name|n|--value|X", "az|keyvault|secret|set|--name|n|--value|<1>" },
		{ "az|storage|blob|list|--account-key|X|--account-name|n", "az|storage|blob|list|--account-key|<1>|--account-name|n" },
		{ "x|A=b;AccountKey=X==;C=d", "x|A=b;AccountKey=<7>" },
		{ "doctl|-t|X|account|get", "doctl|-t|<1>|account|get" },
		{ "doctl|compute|droplet|list|--tag-name|t", "doctl|compute|droplet|list|--tag-name|t" },
		{ "heroku|config:set|A=X|-a|app", "heroku|config:set|A=<1>|-a|app" },
		{ "heroku|config:get|A|-a|app", "heroku|config:get|A|-a|app" },
		{ "terraform|apply|-var|db_password=X|-var=a=b", "terraform|apply|-var|db_password=<1>|-var=a=b" },
		{ "pulumi|config|set|--secret|k|X", "pulumi|config|set|--secret|k|<1>" },
		{ "pulumi|config|set|k|X", "pulumi|config|set|k|X" },
		{ "cf|auth|u|X", "cf|auth|u|<1>" },
		{ "ctr|images|pull|-u|u:X|i:1", "ctr|images|pull|-u|u:<1>|i:1" },
		{ "crictl|pull|--creds|u:X|i:1", "crictl|pull|--creds|u:<1>|i:1" },
		{ "ansible-vault|encrypt_string|X|--name|n", "ansible-vault|encrypt_string|<1>|--name|n" },
		{ "ansible-vault|encrypt|f.yml", "ansible-vault|encrypt|f.yml" },
		/* containers: a program behind the image, not an option's value */
		{ "docker|run|--rm|mysql|mysql|-h|h|-pX", "docker|run|--rm|mysql|mysql|-h|h|-p<1>" },
		{ "docker|run|-it|--network=n|mysql:8|mysql|-pX", "docker|run|-it|--network=n|mysql:8|mysql|-p<1>" },
		{ "podman|run|i|curl|-u|u:X|h", "podman|run|i|curl|-u|u:<1>|h" },
		{ "kubectl|run|x|--image=mysql|-it|--|mysql|-pX", "kubectl|run|x|--image=mysql|-it|--|mysql|-p<1>" },
		{ "sh|-c|sudo docker run --rm i mysql -pX d; ls", "sh|-c|sudo docker run --rm i mysql -p<1> d; ls" },
		{ "docker|run|--name|mongo|-p|1:2|-d|mongo", "docker|run|--name|mongo|-p|1:2|-d|mongo" },
		{ "docker|run|--name=mongo|-p|1:2|--link|mysql|-p|3:4|i", "docker|run|--name=mongo|-p|1:2|--link|mysql|-p|3:4|i" },
		/* headers without a blank */
		{ "curl|-H|X-Api-Key:x", "curl|-H|X-Api-Key:<1>" },
		{ "curl|-H|api-key: x", "curl|-H|api-key: <1>" },
		{ "curl|-H|Authorization:Basic x", "curl|-H|Authorization:Basic <1>" },
		{ "curl|-H|Authorization:x", "curl|-H|Authorization:<1>" },
		{ "curl|-HX-Vault-Token:x", "curl|-HX-Vault-Token:<1>" },
		{ "curl|-H|PRIVATE-TOKEN:x", "curl|-H|PRIVATE-TOKEN:<1>" },
		{ "curl|-H|Cookie:a=b; c=d", "curl|-H|Cookie:<8>" },
		{ "sh|-c|wget --header 'X-Api-Key:x' h", "sh|-c|wget --header 'X-Api-Key:<1>' h" },
		{ "sh|-c|grep -r 'Authorization:' src; ls", "sh|-c|grep -r 'Authorization:' src; ls" },
		{ "curl|-H|Content-Type:x|-H|Accept: y", "curl|-H|Content-Type:x|-H|Accept: y" },
		{ "docker|pull|r/my-token:latest", "docker|pull|r/my-token:latest" },
		/* openssl, keys, files */
		{ "openssl|passwd|-6|X", "openssl|passwd|-6|<1>" },
		{ "openssl|passwd|-6|-salt|s|X", "openssl|passwd|-6|-salt|s|<1>" },
		{ "openssl|passwd|-6|-stdin", "openssl|passwd|-6|-stdin" },
		{ "openssl|aes-256-cbc|-k|X|-in|f", "openssl|aes-256-cbc|-k|<1>|-in|f" },
		{ "openssl|des3|-K|X", "openssl|des3|-K|<1>" },
		{ "openssl|dgst|-hmac|X|f", "openssl|dgst|-hmac|<1>|f" },
		{ "openssl|req|-key|a/b.pem|-keyout|c", "openssl|req|-key|a/b.pem|-keyout|c" },
		{ "openssl|enc|-aes-256-cbc|-kfile|a/b", "openssl|enc|-aes-256-cbc|-kfile|a/b" },
		{ "rclone|obscure|X", "rclone|obscure|<1>" },
		{ "rclone|config|create|r|sftp|host|h|pass|X", "rclone|config|create|r|sftp|host|h|pass|<1>" },
		{ "rclone|copy|my-key|r:pass", "rclone|copy|my-key|r:pass" },
		{ "restic|-r|rest:https://u:X@h/|snapshots", "restic|-r|rest:https://u:<1>@h/|snapshots" },
		{ "restic|--password-file|/a/b|-r|/c", "restic|--password-file|/a/b|-r|/c" },
		{ "env|BORG_PASSPHRASE=X|borg|list|/a", "env|BORG_PASSPHRASE=<1>|borg|list|/a" },
		{ "keytool|-new|X|-srcstorepass|Y|-destkeypass|Z", "keytool|-new|<1>|-srcstorepass|<1>|-destkeypass|<1>" },
		{ "keytool|-list|-keystore|a/b|-storepass:env|V", "keytool|-list|-keystore|a/b|-storepass:env|V" },
		{ "jarsigner|-keypass|X|a.jar|alias", "jarsigner|-keypass|<1>|a.jar|alias" },
		{ "pdftk|a.pdf|output|b.pdf|user_pw|X", "pdftk|a.pdf|output|b.pdf|user_pw|<1>" },
		{ "pdftotext|-upw|X|a.pdf|b", "pdftotext|-upw|<1>|a.pdf|b" },
		{ "openvpn|--auth-user-pass|/a/b", "openvpn|--auth-user-pass|/a/b" },
		/* packages */
		{ "twine|upload|-u|u|-p|X|dist/a", "twine|upload|-u|u|-p|<1>|dist/a" },
		{ "twine|upload|-r|testpypi|dist/a", "twine|upload|-r|testpypi|dist/a" },
		{ "npm|config|set|//r.org/:_authToken=X", "npm|config|set|//r.org/:_authToken=<1>" },
		{ "npm|config|set|//r.org/:_authToken|X", "npm|config|set|//r.org/:_authToken|<1>" },
		{ "npm|install|my-auth|x", "npm|install|my-auth|x" },
		{ "npm|config|set|registry|https://r.org/", "npm|config|set|registry|https://r.org/" },
		{ "poetry|config|pypi-token.pypi|X", "poetry|config|pypi-token.pypi|<1>" },
		{ "poetry|config|repositories.a|https://a/", "poetry|config|repositories.a|https://a/" },
		{ "mvn|-Dgpg.passphrase=X|--encrypt-password|Y", "mvn|-Dgpg.passphrase=<1>|--encrypt-password|<1>" },
		{ "mvn|-ep|X", "mvn|-ep|<1>" },
		{ "mvn|-e|-pl|a|install", "mvn|-e|-pl|a|install" },
		{ "cargo|login|X", "cargo|login|<1>" },
		{ "cargo|build|-p|x", "cargo|build|-p|x" },
		/* other machines, users, devices */
		{ "ncftpput|-u|u|-p|X|h|d|f", "ncftpput|-u|u|-p|<1>|h|d|f" },
		{ "ncftpput|-u|a,b|-P|21|h", "ncftpput|-u|a,b|-P|21|h" },
		{ "lftp|-u|u,X|h", "lftp|-u|u,<1>|h" },
		{ "lftp|-e|open -u u,X h; ls", "lftp|-e|open -u u,<1> h; ls" },
		{ "ftp|ftp://u:X@h/a", "ftp|ftp://u:<1>@h/a" },
		{ "wget|--user=u|--password=X|--ftp-password|Y|h", "wget|--user=u|--password=<1>|--ftp-password|<1>|h" },
		{ "wget|--user=u|-P|/a|h", "wget|--user=u|-P|/a|h" },
		{ "smbclient|//h/s|--user=u%X", "smbclient|//h/s|--user=u%<1>" },
		{ "smbclient|//h/s|--user|u", "smbclient|//h/s|--user|u" },
		{ "net|ads|join|-U|u%X", "net|ads|join|-U|u%<1>" },
		{ "wbinfo|-a|d\\u%X", "wbinfo|-a|d\\u%<1>" },
		{ "wbinfo|-n|u%X", "wbinfo|-n|u%X" },
		{ "slappasswd|-s|X", "slappasswd|-s|<1>" },
		{ "kadmin|-p|a/admin|-w|X", "kadmin|-p|a/admin|-w|<1>" },
		{ "kadmin|-q|addprinc -pw X u", "kadmin|-q|addprinc -pw <1> u" },
		{ "kadmin|-q|listprincs a/b", "kadmin|-q|listprincs a/b" },
		{ "plink|-pw|X|u@h", "plink|-pw|<1>|u@h" },
		{ "plink|-P|22|u@h", "plink|-P|22|u@h" },
		{ "xfreerdp|/u:u|/p:X|/v:h:1", "xfreerdp|/u:u|/p:<1>|/v:h:1" },
		{ "swaks|-au|u|-ap|X|-s|h", "swaks|-au|u|-ap|<1>|-s|h" },
		{ "useradd|-m|-p|X|u", "useradd|-m|-p|<1>|u" },
		{ "usermod|-p|X|u", "usermod|-p|<1>|u" },
		{ "usermod|-aG|wheel|u", "usermod|-aG|wheel|u" },
		{ "cryptsetup|open|--key-file|/a/b|/dev/c|d", "cryptsetup|open|--key-file|/a/b|/dev/c|d" },
		{ "wpa_passphrase|ssid|X", "wpa_passphrase|ssid|<1>" },
		{ "wpa_cli|set_network|0|psk|\"X\"", "wpa_cli|set_network|0|psk|<3>" },
		{ "wpa_cli|set_network|0|ssid|\"X\"", "wpa_cli|set_network|0|ssid|\"X\"" },
		{ "ipmitool|-H|h|-U|u|-P|X|power|status", "ipmitool|-H|h|-U|u|-P|<1>|power|status" },
		{ "ipmitool|user|set|password|2|X", "ipmitool|user|set|password|2|<1>" },
		{ "ipmitool|user|set|name|2|X", "ipmitool|user|set|name|2|X" },
		{ "snmpwalk|-v3|-u|u|-A|X|-X|Y|h", "snmpwalk|-v3|-u|u|-A|<1>|-X|<1>|h" },
		{ "net-snmp-create-v3-user|-A|X|-a|SHA|u", "net-snmp-create-v3-user|-A|<1>|-a|SHA|u" },
		/* the rest */
		{ "valkey-cli|config|set|requirepass|X", "valkey-cli|config|set|requirepass|<1>" },
		{ "valkey-server|--masterauth|X", "valkey-server|--masterauth|<1>" },
		{ "sqsh|-S|s|-P|X", "sqsh|-S|s|-P|<1>" },
		{ "cypher-shell|-u|u|-p|X", "cypher-shell|-u|u|-p|<1>" },
		{ "beeline|-n|u|-p|X", "beeline|-n|u|-p|<1>" },
		{ "hdbsql|-u|u|-p|X", "hdbsql|-u|u|-p|<1>" },
		{ "couchbase-cli|bucket-list|-u|u|-p|X", "couchbase-cli|bucket-list|-u|u|-p|<1>" },
		{ "cbq|-u|u|-p|X", "cbq|-u|u|-p|<1>" },
		{ "mosquitto_sub|--pw|X|-t|a", "mosquitto_sub|--pw|<1>|-t|a" },
		{ "smbpasswd|-w|X", "smbpasswd|-w|<1>" },
		{ "samba-tool|dns|query|-U|u%X", "samba-tool|dns|query|-U|u%<1>" },
		{ "wbinfo|--authenticate=u%X", "wbinfo|--authenticate=u%<1>" },
		{ "psftp|-pw|X|h", "psftp|-pw|<1>|h" },
		{ "sendemail|-xu|u|-xp|X", "sendemail|-xu|u|-xp|<1>" },
		{ "ibmcloud|login|-u|u|-p|X", "ibmcloud|login|-u|u|-p|<1>" },
		{ "ctr|images|pull|--user|u:X|i:1", "ctr|images|pull|--user|u:<1>|i:1" },
		{ "bao|kv|put|s/a|k=X", "bao|kv|put|s/a|k=<1>" },
		{ "cloudflared|service|install|X", "cloudflared|service|install|<1>" },
		{ "cloudflared|tunnel|list", "cloudflared|tunnel|list" },
		{ "az|x|--connection-string|A=b", "az|x|--connection-string|<3>" },
		{ "fly|secrets|set|A=X", "fly|secrets|set|A=<1>" },
		{ "fly|deploy|--env|A=X", "fly|deploy|--env|A=X" },
		{ "bw|unlock|X", "bw|unlock|<1>" },
		{ "bw|login|u@h|X", "bw|login|u@h|<1>" },
		{ "bw|get|item|a", "bw|get|item|a" },
		{ "snyk|auth|X", "snyk|auth|<1>" },
		{ "snyk|test|X", "snyk|test|X" },
		{ "poetry|config|http-basic.a|u|X", "poetry|config|http-basic.a|u|<1>" },
		{ "composer|config|github-oauth.github.com|X", "composer|config|github-oauth.github.com|<1>" },
		{ "composer|config|repo.a|b", "composer|config|repo.a|b" },
		{ "yarn|config|set|npmAuthToken|X", "yarn|config|set|npmAuthToken|<1>" },
		{ "dotnet|nuget|push|a/b|-k|X", "dotnet|nuget|push|a/b|-k|<1>" },
		{ "dotnet|run|-k|X", "dotnet|run|-k|X" },
		{ "openssl|ca|-key|X|-keyfile|a/b", "openssl|ca|-key|<1>|-keyfile|a/b" },
		{ "iwconfig|w0|key|X", "iwconfig|w0|key|<1>" },
		{ "iwconfig|w0|essid|X", "iwconfig|w0|essid|X" },
		{ "x|Endpoint=a;SharedAccessKey=X", "x|Endpoint=a;SharedAccessKey=<1>" },
		{ "wp|config|create|--dbname=a|--dbpass=X", "wp|config|create|--dbname=a|--dbpass=<1>" },
	};
	/* clang-format on */

	(void)state;
	check_rows(rows, sizeof(rows) / sizeof(rows[0]));
}

#define A10 "abcdefghij"
#define A30 A10 A10 A10

static void
test_tokens(void **state)
{
	/* clang-format off */
	static const struct row rows[] = {
		{ "x|ghp_" A30, "x|ghp_<30>" },
		{ "x|gho_" A30, "x|gho_<30>" },
		{ "x|github_pat_" A30, "x|github_pat_<30>" },
		{ "git|clone|https://ghp_" A30 "@github.com/a", "git|clone|https://ghp_<30>@github.com/a" },
		{ "x|a:glpat-" A10 A10, "x|a:glpat-<20>" },
		{ "x|--t=xoxb-" A10 A10, "x|--t=xoxb-<20>" },
		{ "x|sk_live_" A10 A10, "x|sk_live_<20>" },
		{ "sh|-c|echo eyJ" A30 "." A30 ".x", "sh|-c|echo eyJ<63>" },
		{ "x|eyJ" A10, "x|eyJ" A10 },
		{ "x|ghp_short", "x|ghp_short" },
		{ "x|hvs." A10 A10, "x|hvs.<20>" },
		{ "x|hvs.short", "x|hvs.short" },
		{ "x|tskey-auth-" A10 A10, "x|tskey-<25>" },
		/* as the user of a URL */
		{ "git|clone|https://" A10 A10 "@h/a", "git|clone|https://<20>@h/a" },
		{ "git|clone|https://" A10 A10 "@h:8443/a", "git|clone|https://<20>@h:8443/a" },
		{ "git|clone|https://" A10 A10 ":@h/a", "git|clone|https://<20>:@h/a" },
		{ "git|clone|https://ghp_" A30 ":x-oauth-basic@h/a", "git|clone|https://ghp_<44>@h/a" },
		{ "git|clone|https://" A10 A10 "/a@b", "git|clone|https://" A10 A10 "/a@b" },
		{ "curl|https://" A10 A10 "?mail=a@b", "curl|https://" A10 A10 "?mail=a@b" },
		{ "git|clone|https://me@h/a", "git|clone|https://me@h/a" },
	};
	/* clang-format on */

	(void)state;
	check_rows(rows, sizeof(rows) / sizeof(rows[0]));
}

/* Nothing of these is a secret. */
static void
test_plain(void **state)
{
	static const char *const rows[] = { "ps|-p|1", "cp|-p|a|b",
		"ssh|-p|22|h", "mkdir|-p|x", "docker|run|-p|80:80|i",
		"docker|run|--name|mongo|-p|27017:27017|mongo",
		"docker|build|--secret|id=a,src=b|.", "sudo|ps|-p|1",
		"sudo|mkdir|-p|x", "sh|-c|mkdir -p x && cp -p a b",
		"sh|-c|mysql -e 'x'; ls -passes", "createuser|--no-password|u",
		"psql|--password|db", "psql|-p|5432|-U|u|db",
		"x|--password-file|f", "x|--password-stdin|a",
		"x|--max-tokens|5", "x|--bypass|5", "x|BYPASS=1", "x|PWD=/tmp",
		"x|OLDPWD=/tmp", "mysql|-p", "mysql|-P|3306", "7z|x|a.7z",
		"zip|-r|a.zip|passwords", "tar|-xpf|a.tar", "rsync|-avP|a|b",
		"curl|-o|u:p|http://h:80/a@b", "grep|-r|password|/etc",
		"ls|/etc/passwd", "git|log|--author|a:b", "unzip|-o|a.zip",
		"curl|-sSL|https://h/?page=2&sort=a", "ffmpeg|-pass|1|o",
		"scp|-P|22|a|b", "echo|{\"name\":\"password\"}",
		"find|.|-name|*.c|-exec|cp|-p|{}|d" };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(masked(rows[i]), rows[i]);
}

/* A rule more, with all of ours; and what belongs to ours alone. */
static void
test_include(void **state)
{
	static const char text[] = "plain ours password\ninclude default\n"
				   "short ours,theirs+in x next from /\n"
				   "bare ours n* from :\n"
				   "prefix key: 3 word\nprefix u:p@h 2\nurl\n"
				   "runs ours+run image\nshort theirs z\n";
	static const struct row rows[] = {
		{ "ours|-x|a/b", "ours|-x|a/<1>" },
		{ "theirs|-x|a/b", "theirs|-x|a/b" },
		{ "theirs|in|-x|a/b", "theirs|in|-x|a/<1>" },
		{ "x|--password|a", "x|--password|<1>" },
		{ "ours|--password|a", "ours|--password|a" },
		{ "ours|PASSWORD=a", "ours|PASSWORD=a" },
		{ "theirs|IN|-x|a/b", "theirs|IN|-x|a/<1>" },
		{ "ours|no:a@b|xo:c|n:|n=1:2", "ours|no:<3>|xo:c|n:|n=1:2" },
		{ "x|key:a!b|key:ab", "x|key:<3>|key:ab" },
		{ "x|h://u:p@hab", "x|h://u:<1>@hab" },
		{ "ours|run|a|theirs|-za", "ours|run|a|theirs|-z<1>" },
		{ "ours|run|-a|theirs|-za", "ours|run|-a|theirs|-za" },
		{ "ours|a|theirs|-za", "ours|a|theirs|-za" },
	};
	struct mask *before = m;

	(void)state;
	assert_int_equal(mask_new("rules", text, strlen(text), &m, NULL), 0);
	check_rows(rows, sizeof(rows) / sizeof(rows[0]));
	mask_free(m);
	m = before;
}

/* Letters that each begin a word, a name or a value: time is in proportion. */
static void
test_long(void **state)
{
	static const char *const tiles[] = { "(", ";", ",", "=", "\"", "'",
		"\"a", "{\"a\":", " -p", "(-", "--user=a(", "?a&", "://",
		"a:", "/", "-p ", "\\\"password\\\":", "eyJ.", "&token", "a/",
		"pass:", "pass: ", "'pass:", "a://", "a://b@", "mysql ",
		"-- mysql", "password '", "with password ", "= '", " ",
		"a://pass:x@", "-ua;" };
	static const char begin[][10] = { "sh\0-c\0", "curl\0-\0\0",
		"curl\0\0\0\0", "docker\0\0", "htpasswd\0", "sqlplus\0\0",
		"docker\0run" };
	const size_t size = 128 * 1024;
	uint8_t *args = malloc(size);

	(void)state;
	assert_non_null(args);
	for (size_t b = 0; b < sizeof(begin) / sizeof(begin[0]); b++)
		for (size_t i = 0; i < sizeof(tiles) / sizeof(tiles[0]); i++) {
			struct ops_buf out = { .max = 64 * size };
			size_t n = strlen(tiles[i]);
			clock_t began = clock();

			memcpy(args, begin[b], 9);
			for (size_t at = b == 0 ? 6 : 9; at < size; at++)
				args[at] = (uint8_t)tiles[i][at % n];
			(void)mask_args(m, args, size, &out);
			assert_false(out.failed);
			ops_buf_free(&out);
			/* Two seconds of what takes some 10 ms. */
			if (clock() - began > 2 * CLOCKS_PER_SEC)
				fail_msg("%s: too long", tiles[i]);
		}
	free(args);
}

static size_t
token(const uint8_t key[MASK_KEY], const char *args, size_t n, char out[256])
{
	struct ops_buf b = { .max = 4096 };
	size_t count;

	mask_key(m, key);
	count = mask_args(m, (const uint8_t *)args, n, &b);
	assert_in_range(b.len, 1, 255);
	memcpy(out, b.data, b.len);
	out[b.len] = 0;
	ops_buf_free(&b);
	return count;
}

/* Equal secrets look equal, others don't, and who hasn't the key can't try. */
static void
test_hash(void **state)
{
	static const char one[] = "x\0--token=abc", two[] = "x\0--token=abd";
	const uint8_t key[MASK_KEY] = { 1 }, other[MASK_KEY] = { 2 };
	char a[256], b[256];

	(void)state;
	assert_int_equal(token(key, one, sizeof(one), a), 1);
	assert_int_equal(token(key, one, sizeof(one), b), 1);
	assert_string_equal(a + 2, b + 2);
	assert_int_equal(token(key, two, sizeof(two), b), 1);
	assert_string_not_equal(a + 2, b + 2);
	assert_int_equal(token(other, one, sizeof(one), b), 1);
	assert_string_not_equal(a + 2, b + 2);
}

static void
test_bad_rules(void **state)
{
	static const char *const bad[] = { "nothing here", "option", "assign ",
		"short mysql", "short mysql pp", "short mysql p after",
		"prefix AKIA", "prefix AKIA x", "prefix AKIA 0", "after  ",
		"short mysql p from", "short mysql p from ab", "short ,a p",
		"long x", "long x y next", "flags x", "plain x", "behind x",
		"last", "last x yy", "last x y z", "runs", "runs a b",
		"runs a image b", "bare", "bare x", "bare x y", "bare x y from",
		"bare x y from ab", "bare x y from a to", "bare x y from a b",
		"bare x y from a to b c", "prefix a 1 words", "line ", "url x",
		"include", "include this", "include default x" };
	struct ops_err err;
	struct mask *none;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char text[64];

		snprintf(text, sizeof(text), "url\n%s\n", bad[i]);
		assert_int_equal(
		    mask_new("rules", text, strlen(text), &none, &err), -1);
		assert_non_null(strstr(err.msg, "rules, line 2"));
	}
	assert_int_equal(mask_new("rules", "url\n\0", 5, &none, &err), -1);
	assert_int_equal(mask_new("rules", "# only\n\n", 8, &none, &err), 0);
	mask_free(none);
}

static int
setup(void **state)
{
	(void)state;
	return mask_new("default", mask_default_rules,
	    strlen(mask_default_rules), &m, NULL);
}

static int
teardown(void **state)
{
	(void)state;
	mask_free(m);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_programs),
		cmocka_unit_test(test_clients),
		cmocka_unit_test(test_tokens),
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_include),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_hash),
		cmocka_unit_test(test_bad_rules),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
