//! What Apache 2.4.71 prints for each of these configurations, read as `/R/f` below ServerRoot `/R`:
//! its warnings and its error without the program's name, or else the tree as mod_info shows it.
//! Here: sections, files, variables, and sections that depend on them.

use super::tests::check;

#[test]
fn structure_1() {
    check("Timeout 5\n", "Timeout 5");
    check(
        "<Directory />\nTimeout 5 6\n",
        "Syntax error on line 1 of /R/f: /R/f:1: <Directory> was not closed.",
    );
    check(
        "<Directory />\n<Directory /a>\n",
        "Syntax error on line 1 of /R/f: /R/f:2: <Directory> was not closed.\\n/R/f:1: <Directory> was not closed.",
    );
    check(
        "<Directory />\n</Files>\n",
        "Syntax error on line 2 of /R/f: Expected </Directory> but saw </Files>",
    );
    check(
        "</Directory>\n",
        "Syntax error on line 1 of /R/f: </Directory> without matching <Directory> section",
    );
    check("</Directory\n", "Syntax error on line 1 of /R/f: </Directory without matching <Directory section");
    check(
        "<Directory />\n</Directory\n",
        "Syntax error on line 2 of /R/f: </Directory> directive missing closing '>'",
    );
    check(
        "<Directory />\n</Directory foo>\n",
        "Syntax error on line 2 of /R/f: </Directory> directive missing closing '>'",
    );
}

#[test]
fn structure_2() {
    check("<Directory />\n</Directory> foo\n", "<Directory />");
    check("<\n", "Syntax error on line 1 of /R/f: /R/f:1: <> was not closed.");
    check("< Directory />\n", "Syntax error on line 1 of /R/f: /R/f:1: <> was not closed.");
    check("<>\n", "Syntax error on line 1 of /R/f: /R/f:1: <> was not closed.");
    check("</>\n", "Syntax error on line 1 of /R/f: </> without matching <> section");
    check("</\n", "Syntax error on line 1 of /R/f: </ without matching < section");
    check("<Directory />\n</\n", "Syntax error on line 2 of /R/f: </> directive missing closing '>'");
    check(
        "<Directory \\\n/>\nAllowOverride\\\n",
        "Syntax error on line 2 of /R/f: /R/f:2: <Directory> was not closed.",
    );
}

#[test]
fn structure_3() {
    check("Timeout 5\x00 7\nTimeout 8\n", "Timeout 5\nTimeout 8");
    check("\x0b\x0cTimeout\x0b5 \n", "Timeout 5");
    check("\"Timeout\" 5\n", "Timeout 5");
    check("\"Timeout\"5\n", "Timeout 5");
    check("\"\" 5\n", "");
    check("Timeout \"5\\\"\n", "Timeout \"5\\\"");
    check("# x \\\nTimeout 4\nTimeout 5\n", "Timeout 5");
    check("Timeout> 5\n", "Timeout 5");
}

#[test]
fn structure_4() {
    check(
        "<Location />x>\nRequire all granted\n</Location>\n",
        "<Location />x>\n  Require all granted\n</Location>",
    );
    check("\"\" 5\nTimeout 7\n", "Timeout 7");
    check("Timeout 5\x00 7\\\nTimeout 8\n", "Timeout 5\nTimeout 8");
    check("ServerAdmin   \"a   b\"   \n", "ServerAdmin \"a   b\"");
    check("<Directory />\n</Directory>\n", "<Directory />");
    check(
        "<VirtualHost *>\nServerName x\n</VirtualHost *>\n",
        "Syntax error on line 3 of /R/f: </VirtualHost> directive missing closing '>'",
    );
    check("</IfModule>\n", "Syntax error on line 1 of /R/f: </IfModule> without matching <IfModule> section");
    check("Timeout 5\\", "Timeout 5\\");
}

#[test]
fn structure_5() {
    check("Timeout 5\r", "Timeout 5");
    check("Use\n", "Syntax error on line 1 of /R/f: no macro defined before Use");
}

#[test]
fn files_1() {
    check(
        "<Directory />\nInclude nope.conf\n</Directory>\n",
        "Syntax error on line 2 of /R/f: Could not open configuration file /R/nope.conf: No such file or directory",
    );
    check("ServerRoot /nope\n", "Syntax error on line 1 of /R/f: ServerRoot must be a valid directory");
    check("ServerRoot sub\n", "Syntax error on line 1 of /R/f: ServerRoot must be a valid directory");
    check(
        "ServerRoot /etc\nInclude passwdx\n",
        "Syntax error on line 2 of /R/f: Could not open configuration file /etc/passwdx: No such file or directory",
    );
    check(
        "ServerRoot /etc x\n",
        "Syntax error on line 1 of /R/f: ServerRoot takes one argument, Common directory of server-related files (logs, confs, etc.)",
    );
    check(
        "ServerRoot\n",
        "Syntax error on line 1 of /R/f: ServerRoot takes one argument, Common directory of server-related files (logs, confs, etc.)",
    );
    check("<Directory />\nServerRoot /etc\n</Directory>\n", "<Directory />");
    check(
        "DefaultRuntimeDir /nope\n",
        "Syntax error on line 1 of /R/f: DefaultRuntimeDir must be a valid directory, absolute or relative to ServerRoot",
    );
}

#[test]
fn files_2() {
    check(
        "Include nope*.conf\n",
        "Syntax error on line 1 of /R/f: Include/IncludeOptional: No matches for the wildcard 'nope*.conf' in '/R', failing",
    );
    check("IncludeOptional nope*.conf\n", "");
    check("IncludeOptional nope.conf\n", "");
    check("IncludeOptional nope/nope.conf\n", "");
    check(
        "Include nope/*.conf\n",
        "Syntax error on line 1 of /R/f: Include/IncludeOptional: Could not open directory /R/nope: No such file or directory",
    );
    check(
        "Include */a.conf\n",
        "Syntax error on line 1 of /R/f: Include/IncludeOptional: No matches for the wildcard '*' in '/R', failing",
    );
    check("IncludeOptional nope/*.conf\n", "");
    check("IncludeOptional */a.conf\n", "");
}

#[test]
fn files_3() {
    check(
        "Include\n",
        "Syntax error on line 1 of /R/f: Include takes one argument, Name(s) of the config file(s) to be included; fails if the wildcard does not match at least one file",
    );
    check(
        "Include a b\n",
        "Syntax error on line 1 of /R/f: Include takes one argument, Name(s) of the config file(s) to be included; fails if the wildcard does not match at least one file",
    );
    check(
        "Include \"\"\n",
        "Syntax error on line 1 of /R/f: Include takes one argument, Name(s) of the config file(s) to be included; fails if the wildcard does not match at least one file",
    );
    check(
        "Include ../d/x1\n",
        "Syntax error on line 1 of /R/f: Could not open configuration file /d/x1: No such file or directory",
    );
    check(
        "Include f/x\n",
        "Syntax error on line 1 of /R/f: Could not open configuration file /R/f/x: Not a directory",
    );
    check("IncludeOptional f/x\n", "");
}

#[test]
fn defines_1() {
    check("Define x\n<\n", "Syntax error on line 2 of /R/f: /R/f:2: <> was not closed.");
    check(
        "Define Y\n<IfDefine y>\nServerAdmin x\n</IfDefine>\nServerAdmin ${Y}\n",
        "AH00111: Config variable ${Y} is not defined\nServerAdmin ${Y}",
    );
    check(
        "Define\n",
        "Syntax error on line 1 of /R/f: Define takes 1-2 arguments, Define a variable, optionally to a value.  Same as passing -D to the command line.",
    );
    check(
        "Define a b c\n",
        "Syntax error on line 1 of /R/f: Define takes 1-2 arguments, Define a variable, optionally to a value.  Same as passing -D to the command line.",
    );
    check("Define a:b\n", "Syntax error on line 1 of /R/f: Variable name must not contain ':'");
    check("UnDefine a:b\n", "Syntax error on line 1 of /R/f: Variable name must not contain ':'");
    check(
        "UnDefine PATH x\n",
        "Syntax error on line 1 of /R/f: UnDefine takes one argument, Undefine the existence of a variable. Undo a Define.",
    );
    check(
        "Define A 1\nDefine A\nServerAdmin ${A}\nUnDefine A\nServerAdmin ${A}\n",
        "AH00111: Config variable ${A} is not defined\nServerAdmin 1\nServerAdmin ${A}",
    );
}

#[test]
fn defines_2() {
    check(
        "Define A 1\nUnDefine a\nServerAdmin ${A}\n",
        "AH00111: Config variable ${A} is not defined\nServerAdmin ${A}",
    );
    check("Define A 1\nUnDefine a\n<IfDefine A>\nTimeout 6\n</IfDefine>\n", "Timeout 6");
    check("Define A 1\nDefine A 2\nServerAdmin ${A}\n", "ServerAdmin 2");
    check("Define A Timeout\n${A} 5\n", "Timeout 5");
    check("Define A \"<Directory\"\n${A} /x>\n</Directory>\n", "<Directory /x>");
    check("Define A </Directory>\n<Directory />\n${A}\n", "<Directory />");
    check(
        "Define A ${B}\nDefine B 1\nServerAdmin ${A}\n",
        "AH00111: Config variable ${B} is not defined\nServerAdmin ${B}",
    );
    check("ServerAdmin ${HOME}\n", "ServerAdmin /root");
}

#[test]
fn defines_3() {
    check("ServerAdmin ${}\n", "AH00111: Config variable ${} is not defined\nServerAdmin ${}");
    check("<Directory />\nDefine Q 1\n</Directory>\nServerAdmin ${Q}\n", "<Directory />\nServerAdmin 1");
    check("<IfDefine !Q>\nTimeout 5\n</IfDefine>\n", "Timeout 5");
    check("<IfDefine ! Q>\nTimeout 5\n</IfDefine>\n", "Timeout 5");
    check(
        "<IfDefine>\n</IfDefine>\n",
        "Syntax error on line 1 of /R/f: <IfDefine> directive requires additional arguments",
    );
    check(
        "<IfDefine Q\n</IfDefine>\n",
        "Syntax error on line 1 of /R/f: <IfDefine> directive missing closing '>'",
    );
    check("Define A 1\nDefine A \"\"\nServerAdmin ${A}\n", "ServerAdmin 1");
    check(
        "Include ${B}x\n",
        "AH00111: Config variable ${B} is not defined\nSyntax error on line 1 of /R/f: Could not open configuration file /R/${B}x: No such file or directory",
    );
}

#[test]
fn defines_4() {
    check("<IfDefine \"!no\">\nTimeout 5\n</IfDefine>\n", "");
}

#[test]
fn conditionals_1() {
    check(
        "<IfModule>\n</IfModule>\n",
        "Syntax error on line 1 of /R/f: <IfModule> directive requires additional arguments",
    );
    check(
        "<IfModule >\n</IfModule>\n",
        "Syntax error on line 1 of /R/f: <IfModule> directive requires additional arguments",
    );
    check(
        "<IfModule !>\n</IfModule>\n",
        "Syntax error on line 1 of /R/f: <IfModule> directive requires additional arguments",
    );
    check(
        "<IfModule core.c\n</IfModule>\n",
        "Syntax error on line 1 of /R/f: <IfModule> directive missing closing '>'",
    );
    check("<IfModule core.c >\nTimeout 5\n</IfModule>\n", "Timeout 5");
    check("<IfModule \"core.c\">\nTimeout 5\n</IfModule>\n", "Timeout 5");
    check("<IfModule \"core.c>\nTimeout 5\n</IfModule>\n", "Timeout 5");
    check("<IfModule core.c> junk\nTimeout 5\n</IfModule>\n", "Timeout 5");
}

#[test]
fn conditionals_2() {
    check("<IfModule core.c>junk\nTimeout 5\n</IfModule>\n", "Timeout 5");
    check(
        "<IfModule core.c>\nTimeout 5\n</IfModule> foo\n",
        "Syntax error on line 3 of /R/f: </IfModule> without matching <IfModule> section",
    );
    check("<IfModule core.c>\nTimeout 5\n", "Timeout 5");
    check("<IfModule core.c>\n<Directory />\n", "<Directory />");
    check(
        "<IfModule core.c>\n<Directory />\n</IfModule>\n",
        "Syntax error on line 3 of /R/f: Expected </Directory> but saw </IfModule>",
    );
    check(
        "<IfModule no.c>\n<Directory />\n</IfModule>\n",
        "Syntax error on line 1 of /R/f: Expected </Directory> but saw </IfModule>",
    );
    check(
        "<IfModule no.c>\nTimeout 5\n",
        "Syntax error on line 1 of /R/f: Expected </IfModule> before end of configuration",
    );
    check("<IfModule no.c>\n\"<Directory\" />\n</Directory>\n</IfModule> foo\nTimeout 7\n", "Timeout 7");
}

#[test]
fn conditionals_3() {
    check(
        "<IfModule no.c>\n</IfModule x>\nTimeout 7\n",
        "Syntax error on line 1 of /R/f: Expected </IfModule> but saw </IfModul>",
    );
    check("<IfModule no.c>\n</ifmodulex\nTimeout 7\n", "Timeout 7");
    check("<IfModule no.c>\n<Foo>\n</Foo>\n</ifmodule>\nTimeout 7\n", "Timeout 7");
    check("<IfModule no.c>\n<Foo >\n</Foo>\n</ifmodule>\nTimeout 7\n", "Timeout 7");
    check(
        "<IfModule no.c>\n<Foo> x\n</Foo>\n</ifmodule>\nTimeout 7\n",
        "Syntax error on line 1 of /R/f: Expected </Foo>> but saw </Foo>",
    );
    check("<IfModule mod_authz_core.c>\nTimeout 7\n</ifmodule>\n", "Timeout 7");
    check("<IfModule authz_core_module>\nTimeout 7\n</ifmodule>\n", "Timeout 7");
    check("<IfModule AUTHZ_CORE_module>\nTimeout 7\n</ifmodule>\n", "");
}

#[test]
fn conditionals_4() {
    check("<IfModule !core.c>\nTimeout 7\n</ifmodule>\n", "");
    check("<ifmodule ! core.c>\nTimeout 7\n</ifmodule>\n", "");
    check("<IfModule core>\nTimeout 7\n</ifmodule>\n", "");
    check("<IfModule core_module>\nTimeout 7\n</ifmodule>\n", "Timeout 7");
    check("<IfModule ! core.c>\nTimeout 5\n</IfModule>\n", "");
    check("<IfModule !  no.c>\nTimeout 5\n</IfModule>\n", "Timeout 5");
    check("<IfModule core.c> junk>\nTimeout 5\n</IfModule>\n", "");
    check("<IfModule authz_core>\nTimeout 7\n</ifmodule>\n", "");
}

#[test]
fn conditionals_5() {
    check(
        "<IfModule core.c>\n<Directory />\nAllowOverride None\n",
        "<Directory />\n  AllowOverride None\n</Directory>",
    );
    check(
        "<IfModule core.c>\n<Directory />\nAllowOverride None\n</Directory>\n</IfModule\nTimeout 4",
        "Syntax error on line 5 of /R/f: </IfModule without matching <IfModule section",
    );
    check(
        "<IfModule core.c>\n</Directory>\n",
        "Syntax error on line 2 of /R/f: </Directory> without matching <Directory> section",
    );
    check(
        "<Directory />\n<IfModule core.c>\n</Directory>\n",
        "Syntax error on line 3 of /R/f: </Directory> without matching <Directory> section",
    );
    check(
        "<Directory />\n<IfModule core.c>\nAllowOverride None\n</IfModule>\n</Directory>\nTimeout 3\n",
        "<Directory />\n  AllowOverride None\n</Directory>\nTimeout 3",
    );
    check("<IfFile f>\nTimeout 4\n</IfFile>\n", "Timeout 4");
    check("<IfFile \"f\">\nTimeout 4\n</IfFile>\n", "Timeout 4");
    check("<IfFile f >\nTimeout 4\n</IfFile>\n", "Timeout 4");
}

#[test]
fn conditionals_6() {
    check("<IfFile !g>\nTimeout 4\n</IfFile>\n", "Timeout 4");
    check("<IfFile ! \"g\">\nTimeout 4\n</IfFile>\n", "Timeout 4");
    check("<IfFile />\nTimeout 4\n</IfFile>\n", "Timeout 4");
    check(
        "<IfFile>\nTimeout 4\n</IfFile>\n",
        "Syntax error on line 1 of /R/f: <IfFile> directive requires additional arguments",
    );
    check(
        "<IfFile f\nTimeout 4\n</IfFile>\n",
        "Syntax error on line 1 of /R/f: <IfFile> directive missing closing '>'",
    );
    check("<IfModule \"!core.c\">\nTimeout 5\n</IfModule>\n", "");
    check("<IfModule !\"core.c\">\nTimeout 5\n</IfModule>\n", "");
    check(
        "<IfModule \"\">\nTimeout 5\n</IfModule>\n",
        "Syntax error on line 1 of /R/f: <IfModule> directive requires additional arguments",
    );
}

#[test]
fn conditionals_7() {
    check("<IfModule !!core.c>\nTimeout 5\n</IfModule>\n", "Timeout 5");
    check("<IfModule core.c>\nTimeout 4\n   </IfModule>   \n", "Timeout 4");
    check(
        "<IfModule core.c>\nTimeout 4\n</IfModule >\n",
        "Syntax error on line 3 of /R/f: </IfModule without matching <IfModule section",
    );
    check(
        "<IfModule nope.c>\nTimeout 4\n</IfModule >\nTimeout 6",
        "Syntax error on line 1 of /R/f: Expected </IfModule> but saw </IfModul>",
    );
    check("<IfModule nope.c>\n</ \n", "Syntax error on line 1 of /R/f: Expected </IfModule> but saw <>");
    check(
        "<IfModule nope.c>\n<\n",
        "Syntax error on line 1 of /R/f: Expected </> before end of configuration",
    );
    check("\"<IfModule\" core.c>\nTimeout 5\n</IfModule>\n", "Timeout 5");
    check(
        "<IfModule core.c>\n<Directory />\n</IfModule>\n</Directory>\n",
        "Syntax error on line 3 of /R/f: Expected </Directory> but saw </IfModule>",
    );
}

#[test]
fn conditionals_8() {
    check("<IfModule \"!no.c\">\nTimeout 5\n</IfModule>\n", "");
    check("<IfFile nope>\nInclude nope\n</IfFile>\n", "");
    check(
        "</IfModule>\n<IfModule core.c>\n",
        "Syntax error on line 1 of /R/f: </IfModule> without matching <IfModule> section",
    );
}
