//! What Apache 2.4.71 prints for each of these configurations, read as `/R/f` below ServerRoot `/R`:
//! its warnings and its error without the program's name, or else the tree as mod_info shows it.
//! Here: what asks for modules and directives, and macros.

use super::tests::check;

#[test]
fn version_1() {
    check("<IfVersion 2.4>\nTimeout 4\n</IfVersion>\n", "");
    check("<IfVersion = 2.4>\nTimeout 4\n</IfVersion>\n", "");
    check(
        "<IfVersion =2.4>\nTimeout 4\n</IfVersion>\n",
        "Syntax error on line 1 of /R/f: Version appears to be invalid. It must have the format major[.minor[.patch]] where major, minor and patch are numbers.",
    );
    check("<IfVersion == 2.4.71>\nTimeout 4\n</IfVersion>\n", "Timeout 4");
    check("<IfVersion >= 2.4>\nTimeout 4\n</IfVersion>\n", "Timeout 4");
    check(
        "<IfVersion >2.4.70>\nTimeout 4\n</IfVersion>\n",
        "Syntax error on line 1 of /R/f: Version appears to be invalid. It must have the format major[.minor[.patch]] where major, minor and patch are numbers.",
    );
    check("<IfVersion < 2.5>\nTimeout 4\n</IfVersion>\n", "Timeout 4");
    check("<IfVersion <= 2.4.70>\nTimeout 4\n</IfVersion>\n", "");
}

#[test]
fn version_2() {
    check(
        "<IfVersion ! 2.4.71>\nTimeout 4\n</IfVersion>\n",
        "Syntax error on line 1 of /R/f: unrecognized operator '!'",
    );
    check("<IfVersion != 2.4.71>\nTimeout 4\n</IfVersion>\n", "");
    check("<IfVersion !> 2.4.80>\nTimeout 4\n</IfVersion>\n", "Timeout 4");
    check("<IfVersion ~ ^2.4>\nTimeout 4\n</IfVersion>\n", "Timeout 4");
    check("<IfVersion = /^2\\.4/>\nTimeout 4\n</IfVersion>\n", "Timeout 4");
    check("<IfVersion /^2.4/>\nTimeout 4\n</IfVersion>\n", "Timeout 4");
    check("<IfVersion !~ ^2.5>\nTimeout 4\n</IfVersion>\n", "Timeout 4");
    check(
        "<IfVersion ~ (>\nTimeout 4\n</IfVersion>\n",
        "Syntax error on line 1 of /R/f: Unable to compile regular expression",
    );
}

#[test]
fn version_3() {
    check(
        "<IfVersion = 2.4.x>\nTimeout 4\n</IfVersion>\n",
        "Syntax error on line 1 of /R/f: Version appears to be invalid. It must have the format major[.minor[.patch]] where major, minor and patch are numbers.",
    );
    check(
        "<IfVersion >= x>\nTimeout 4\n</IfVersion>\n",
        "Syntax error on line 1 of /R/f: Version appears to be invalid. It must have the format major[.minor[.patch]] where major, minor and patch are numbers.",
    );
    check(
        "<IfVersion >=>\nTimeout 4\n</IfVersion>\n",
        "Syntax error on line 1 of /R/f: Version appears to be invalid. It must have the format major[.minor[.patch]] where major, minor and patch are numbers.",
    );
    check("<IfVersion 2>\nTimeout 4\n</IfVersion>\n", "");
    check(
        "<IfVersion 2.4.71.1>\nTimeout 4\n</IfVersion>\n",
        "Syntax error on line 1 of /R/f: Version appears to be invalid. It must have the format major[.minor[.patch]] where major, minor and patch are numbers.",
    );
    check("<IfVersion \"2.4\">\nTimeout 4\n</IfVersion>\n", "");
    check(
        "<IfVersion >= 2.4 5>\nTimeout 4\n</IfVersion>\n",
        "Syntax error on line 1 of /R/f: <IfVersion> directive missing closing '>'",
    );
    check(
        "<IfVersion => 2.4>\nTimeout 4\n</IfVersion>\n",
        "Syntax error on line 1 of /R/f: unrecognized operator '=>'",
    );
}

#[test]
fn version_4() {
    check(
        "<IfVersion >\nTimeout 4\n</IfVersion>\n",
        "Syntax error on line 1 of /R/f: Version appears to be invalid. It must have the format major[.minor[.patch]] where major, minor and patch are numbers.",
    );
    check(
        "<IfVersion <> 2.4>\nTimeout 4\n</IfVersion>\n",
        "Syntax error on line 1 of /R/f: unrecognized operator '<>'",
    );
    check(
        "<IfVersion ~ ^2 4>\nTimeout 4\n</IfVersion>\n",
        "Syntax error on line 1 of /R/f: <IfVersion> directive missing closing '>'",
    );
    check(
        "<IfVersion = /2.4>\nTimeout 4\n</IfVersion>\n",
        "Syntax error on line 1 of /R/f: Missing delimiting / of regular expression.",
    );
    check(
        "<IfVersion ~= ^2>\nTimeout 4\n</IfVersion>\n",
        "Syntax error on line 1 of /R/f: unrecognized operator '~='",
    );
    check("<IfVersion == /^2.4/>\nTimeout 4\n</IfVersion>\n", "Timeout 4");
    check(
        "<IfVersion >= /^2/>\nTimeout 4\n</IfVersion>\n",
        "Syntax error on line 1 of /R/f: Version appears to be invalid. It must have the format major[.minor[.patch]] where major, minor and patch are numbers.",
    );
    check(
        "<IfVersion 2.4a>\nTimeout 4\n</IfVersion>\n",
        "Syntax error on line 1 of /R/f: Version appears to be invalid. It must have the format major[.minor[.patch]] where major, minor and patch are numbers.",
    );
}

#[test]
fn version_5() {
    check("<IfVersion !>= 2.5>\nTimeout 4\n</IfVersion>\n", "Timeout 4");
    check("<IfVersion !< 2.3>\nTimeout 4\n</IfVersion>\n", "Timeout 4");
    check(
        "<IfVersion !!2.4>\nTimeout 4\n</IfVersion>\n",
        "Syntax error on line 1 of /R/f: Version appears to be invalid. It must have the format major[.minor[.patch]] where major, minor and patch are numbers.",
    );
    check(
        "<IfVersion =! 2.4>\nTimeout 4\n</IfVersion>\n",
        "Syntax error on line 1 of /R/f: unrecognized operator '=!'",
    );
    check(
        "<IfVersion >=2.4.70>\nTimeout 4\n</IfVersion>\n",
        "Syntax error on line 1 of /R/f: Version appears to be invalid. It must have the format major[.minor[.patch]] where major, minor and patch are numbers.",
    );
    check("<IfVersion 2.4.>\nTimeout 4\n</IfVersion>\n", "");
    check(
        "<IfVersion 2.4.-1>\nTimeout 4\n</IfVersion>\n",
        "Syntax error on line 1 of /R/f: Version appears to be invalid. It must have the format major[.minor[.patch]] where major, minor and patch are numbers.",
    );
    check("<IfVersion = 2.4.0071>\nTimeout 4\n</IfVersion>\n", "Timeout 4");
}

#[test]
fn version_6() {
    check("<IfVersion  2.4.71>\nTimeout 4\n</IfVersion>\n", "Timeout 4");
    check(
        "<IfVersion 2.4\nTimeout 4\n</IfVersion>\n",
        "Syntax error on line 1 of /R/f: <IfVersion> directive missing closing '>'",
    );
    check(
        "<IfVersion>\nTimeout 4\n</IfVersion>\n",
        "Syntax error on line 1 of /R/f: Version appears to be invalid. It must have the format major[.minor[.patch]] where major, minor and patch are numbers.",
    );
    check(
        "<IfVersion !2.4.71>\nTimeout 4\n</IfVersion>\n",
        "Syntax error on line 1 of /R/f: Version appears to be invalid. It must have the format major[.minor[.patch]] where major, minor and patch are numbers.",
    );
    check(
        "<IfVersion !2.4>\nTimeout 4\n</IfVersion>\n",
        "Syntax error on line 1 of /R/f: Version appears to be invalid. It must have the format major[.minor[.patch]] where major, minor and patch are numbers.",
    );
    check(
        "<IfVersion !x 2.4>\nTimeout 4\n</IfVersion>\n",
        "Syntax error on line 1 of /R/f: unrecognized operator '!x'",
    );
    check("<IfVersion ~ /^2/>\nTimeout 4\n</IfVersion>\n", "");
    check("<IfVersion ~ ^2/>\nTimeout 4\n</IfVersion>\n", "");
}

#[test]
fn version_7() {
    check("<IfVersion = //>\nTimeout 4\n</IfVersion>\n", "Timeout 4");
    check(
        "<IfVersion ~>\nTimeout 4\n</IfVersion>\n",
        "Syntax error on line 1 of /R/f: Version appears to be invalid. It must have the format major[.minor[.patch]] where major, minor and patch are numbers.",
    );
    check(
        "<IfVersion !>\nTimeout 4\n</IfVersion>\n",
        "Syntax error on line 1 of /R/f: Version appears to be invalid. It must have the format major[.minor[.patch]] where major, minor and patch are numbers.",
    );
    check(
        "<IfVersion !~>\nTimeout 4\n</IfVersion>\n",
        "Syntax error on line 1 of /R/f: Version appears to be invalid. It must have the format major[.minor[.patch]] where major, minor and patch are numbers.",
    );
    check("<IfVersion = 99999999999.1>\nTimeout 4\n</IfVersion>\n", "");
    check("<IfVersion \"~\" \"^2 4\">\nTimeout 4\n</IfVersion>\n", "");
    check(
        "<IfVersion ~ \"^2.4\">x>\nTimeout 4\n</IfVersion>\n",
        "Syntax error on line 1 of /R/f: <IfVersion> directive missing closing '>'",
    );
    check("<IfVersion = 2.4.71.>\nTimeout 4\n</IfVersion>\n", "Timeout 4");
}

#[test]
fn version_8() {
    check(
        "<IfVersion ! = 2.4>\nTimeout 4\n</IfVersion>\n",
        "Syntax error on line 1 of /R/f: <IfVersion> directive missing closing '>'",
    );
    check(
        "<IfVersion 2.4.71 x>\nTimeout 4\n</IfVersion>\n",
        "Syntax error on line 1 of /R/f: unrecognized operator '2.4.71'",
    );
    check(
        "<IfVersion = 2.4.71 y z>\nTimeout 4\n</IfVersion>\n",
        "Syntax error on line 1 of /R/f: <IfVersion takes one, two or three arguments, a comparison operator, a version (and a delimiter)",
    );
}

#[test]
fn directives_1() {
    check("<IfDirective Timeout>\nTimeout 4\n</IfDirective>\n", "Timeout 4");
    check("<IfSection Timeout>\nTimeout 4\n</IfSection>\n", "");
    check("<IfDirective timeout>\nTimeout 4\n</IfDirective>\n", "Timeout 4");
    check("<IfSection timeout>\nTimeout 4\n</IfSection>\n", "");
    check("<IfDirective !Timeout>\nTimeout 4\n</IfDirective>\n", "");
    check("<IfSection !Timeout>\nTimeout 4\n</IfSection>\n", "Timeout 4");
    check("<IfDirective Nope>\nTimeout 4\n</IfDirective>\n", "");
    check("<IfSection Nope>\nTimeout 4\n</IfSection>\n", "");
}

#[test]
fn directives_2() {
    check("<IfDirective Directory>\nTimeout 4\n</IfDirective>\n", "");
    check("<IfSection Directory>\nTimeout 4\n</IfSection>\n", "Timeout 4");
    check("<IfDirective <Directory>\nTimeout 4\n</IfDirective>\n", "Timeout 4");
    check("<IfSection <Directory>\nTimeout 4\n</IfSection>\n", "");
    check("<IfDirective \"Timeout\">\nTimeout 4\n</IfDirective>\n", "Timeout 4");
    check("<IfSection \"Timeout\">\nTimeout 4\n</IfSection>\n", "");
    check("<IfDirective <Directory>>\nTimeout 4\n</IfDirective>\n", "");
    check("<IfSection <Directory>>\nTimeout 4\n</IfSection>\n", "");
}

#[test]
fn directives_3() {
    check("<IfDirective IfModule>\nTimeout 4\n</IfDirective>\n", "");
    check("<IfSection IfModule>\nTimeout 4\n</IfSection>\n", "Timeout 4");
    check("<IfDirective Timeout x>\nTimeout 4\n</IfDirective>\n", "Timeout 4");
    check("<IfSection Timeout x>\nTimeout 4\n</IfSection>\n", "");
    check(
        "<IfDirective >\nTimeout 4\n</IfDirective>\n",
        "Syntax error on line 1 of /R/f: <IfDirective> directive requires additional arguments",
    );
    check(
        "<IfSection >\nTimeout 4\n</IfSection>\n",
        "Syntax error on line 1 of /R/f: <IfSection> directive requires additional arguments",
    );
    check(
        "<IfDirective nope>\nTimeout 4\n",
        "Syntax error on line 1 of /R/f: Expected </IfDirective> before end of configuration",
    );
}

#[test]
fn macros_1() {
    check(
        "\n\n<Macro foo>\n\n</Files>\n\n</Macro>\nUse foo\n",
        "AH02793: bad (negative) nesting on line 4 of macro 'foo' (defined on line 3 of \"/R/f\")\nAH02795: bad cumulated nesting (-1) in macro 'foo' (defined on line 3 of \"/R/f\")\nSyntax error on line 2 of macro 'foo' (defined on line 3 of \"/R/f\") used on line 8 of \"/R/f\": </Files> without matching <Files> section",
    );
    check(
        "\n\n<Macro foo>\n\n</Files></a>\n</x>\n</x>\n</Macro>\n",
        "AH02793: bad (negative) nesting on line 3 of macro 'foo' (defined on line 3 of \"/R/f\")\nAH02793: bad (negative) nesting on line 4 of macro 'foo' (defined on line 3 of \"/R/f\")\nAH02793: bad (negative) nesting on line 5 of macro 'foo' (defined on line 3 of \"/R/f\")\nAH02795: bad cumulated nesting (-3) in macro 'foo' (defined on line 3 of \"/R/f\")",
    );
    check(
        "Use foo\n<Macro foo>\nTimeout 5\n</Macro>\n",
        "Syntax error on line 1 of /R/f: no macro defined before Use",
    );
    check(
        "<Macro foo>\nTimeout 5\n</Macro>\nUse \"\"\n",
        "Syntax error on line 4 of /R/f: no macro name specified with Use",
    );
    check(
        "<Macro foo>\nTimeout 5\n</Macro>\nUse foo x\n",
        "Syntax error on line 4 of /R/f: macro 'foo' (defined on line 1 of \"/R/f\") used with 1 arguments instead of 0",
    );
    check(
        "<Macro foo>\nTimeout 5\n</Macro>\n<Macro foo>\n",
        "AH02802: macro 'foo' multiply defined: defined on line 1 of \"/R/f\", redefined on line 4 of \"/R/f\"\nSyntax error on line 4 of /R/f: macro 'foo' (defined on line 4 of \"/R/f\")\\n\\tcontents error: expected token not found: </Macro>",
    );
    check("<IfModule core.c>\n<Macro foo>\nTimeout 5\n</Macro>\n", "");
    check(
        "<Macro foo $a>\nUse bar $a\n</Macro>\n<Macro bar $a>\nServerAdmin $a\n</Macro>\nUse foo \"x y\"\n",
        "Syntax error on line 1 of macro 'foo' (defined on line 1 of \"/R/f\") used on line 7 of \"/R/f\": macro 'bar' (defined on line 4 of \"/R/f\") used with 2 arguments instead of 1",
    );
}

#[test]
fn macros_2() {
    check(
        "<Macro foo>\n<IfModule no.c>\n</Macro>\nUse foo\nTimeout 5\n</IfModule>\nTimeout 6\n",
        "AH02795: bad cumulated nesting (+1) in macro 'foo' (defined on line 1 of \"/R/f\")\nTimeout 6",
    );
    check("<Macro foo $a >\nServerAdmin x$a\n</Macro>\nUse foo 1>2\n", "ServerAdmin x1>2");
    check(
        "<Macro Foo $a $b>\nServerAdmin $a\n</Macro>\nUse Foo x\n",
        "AH02800: macro 'foo' (defined on line 1 of \"/R/f\"): argument '$b' (#2) never used\nSyntax error on line 4 of /R/f: macro 'foo' (defined on line 1 of \"/R/f\") used with 1 arguments instead of 2",
    );
    check(
        "<Macro Foo>\nTimeout 5\n<Directory />\n</Macro>\n\nUse Foo\n",
        "AH02795: bad cumulated nesting (+1) in macro 'foo' (defined on line 1 of \"/R/f\")\nSyntax error on line 2 of macro 'foo' (defined on line 1 of \"/R/f\") used on line 6 of \"/R/f\": macro 'foo' (defined on line 1 of \"/R/f\") used on line 6 of \"/R/f\":2: <Directory> was not closed.",
    );
    check(
        "<Macro Foo>\nTimeout 5\n<Directory />\n</Macro>\n\nUse Foo\n</Directory>\n",
        "AH02795: bad cumulated nesting (+1) in macro 'foo' (defined on line 1 of \"/R/f\")\nTimeout 5\n<Directory />",
    );
    check(
        "<Macro Foo>\nTimeout 5\n</Directory>\n</Macro>\n\nUse Foo\n</Directory>\n",
        "AH02793: bad (negative) nesting on line 3 of macro 'foo' (defined on line 1 of \"/R/f\")\nAH02795: bad cumulated nesting (-1) in macro 'foo' (defined on line 1 of \"/R/f\")\nSyntax error on line 2 of macro 'foo' (defined on line 1 of \"/R/f\") used on line 6 of \"/R/f\": </Directory> without matching <Directory> section",
    );
    check(
        "<Macro Foo>\n</Macro>\nUse Foo\n",
        "AH02799: macro 'foo' (defined on line 1 of \"/R/f\"): empty contents!",
    );
    check(
        "<Macro>\n</Macro>\nUse Foo\n",
        "Syntax error on line 1 of /R/f: <Macro macro definition: empty name",
    );
}

#[test]
fn macros_3() {
    check(
        "<Macro >\n</Macro>\nUse Foo\n",
        "Syntax error on line 1 of /R/f: <Macro macro definition: empty name",
    );
    check(
        "<Macro \"\">\nTimeout 5\n</Macro>\n",
        "Syntax error on line 1 of /R/f: <Macro macro definition: name not found",
    );
    check("<Macro foo\n</Macro>\n", "Syntax error on line 1 of /R/f: <Macro> directive missing closing '>'");
    check(
        "<Macro foo> x\nTimeout 5\n</Macro>\n",
        "AH02989: AH02801: non blank chars found after <Macro closing '>' on line 1 of /R/f:  x",
    );
    check(
        "<Macro foo>\nTimeout 5\n</Macro\n",
        "Syntax error on line 1 of /R/f: macro 'foo' (defined on line 1 of \"/R/f\")\\n\\tcontents error: expected token not found: </Macro>",
    );
    check(
        "<Macro foo>\nTimeout 5\n</Macro> x\nUse foo\n",
        "AH02989: AH02794: non blank chars found after directive closing on line 3 of /R/f:  x\nTimeout 5",
    );
    check(
        "<Macro foo>\nTimeout 5\n</Macrox>\nUse foo\n",
        "Syntax error on line 1 of /R/f: macro 'foo' (defined on line 1 of \"/R/f\")\\n\\tcontents error: expected token not found: </Macro>",
    );
    check(
        "<Macro foo>\nTimeout 5\n",
        "Syntax error on line 1 of /R/f: macro 'foo' (defined on line 1 of \"/R/f\")\\n\\tcontents error: expected token not found: </Macro>",
    );
}

#[test]
fn macros_4() {
    check("Use \"\"\n", "Syntax error on line 1 of /R/f: no macro defined before Use");
    check("Use foo\n", "Syntax error on line 1 of /R/f: no macro defined before Use");
    check(
        "<Macro foo>\nTimeout 5\n</Macro>\nUse bar\n",
        "Syntax error on line 4 of /R/f: macro 'bar' undefined",
    );
    check(
        "UndefMacro\n",
        "Syntax error on line 1 of /R/f: UndefMacro takes one argument, Remove a macro definition.",
    );
    check("UndefMacro x\n", "Syntax error on line 1 of /R/f: no macro defined before UndefMacro");
    check(
        "<Macro foo>\nTimeout 5\n</Macro>\nUndefMacro x\n",
        "Syntax error on line 4 of /R/f: cannot remove undefined macro 'x'",
    );
    check(
        "<Macro foo>\nTimeout 5\n</Macro>\nUndefMacro FOO\nUse foo\n",
        "Syntax error on line 5 of /R/f: macro 'foo' undefined",
    );
    check(
        "<Macro foo>\nTimeout 5\n</Macro>\nUndefMacro \"\"\n",
        "Syntax error on line 4 of /R/f: UndefMacro takes one argument, Remove a macro definition.",
    );
}

#[test]
fn macros_5() {
    check(
        "<Macro foo>\nTimeout 5\n</Macro>\n<Macro FOO>\nTimeout 6\n</Macro>\nUse foo\n",
        "AH02802: macro 'foo' multiply defined: defined on line 1 of \"/R/f\", redefined on line 4 of \"/R/f\"\nTimeout 6",
    );
    check(
        "<Macro $foo>\nTimeout 5\n</Macro>\nUse $foo\n",
        "AH02803: macro '$foo' (defined on line 1 of \"/R/f\") better prefix a macro name with any of '$%@'\nTimeout 5",
    );
    check(
        "<Macro foo a b>\nTimeout a b\n</Macro>\nUse foo 5 \"\"\n",
        "AH02796: macro 'foo' (defined on line 1 of \"/R/f\") argument name 'a' (#1) without expected prefix, better prefix argument names with one of '$%@'.\nAH02796: macro 'foo' (defined on line 1 of \"/R/f\") argument name 'b' (#2) without expected prefix, better prefix argument names with one of '$%@'.\nAH02798: macro 'foo' (defined on line 1 of \"/R/f\") used on line 4 of \"/R/f\": empty argument #2\nTimeout 5",
    );
    check(
        "<Macro foo $a $ab>\nServerAdmin $a$ab\n</Macro>\nUse foo 5 6\n",
        "AH02797: macro 'foo' (defined on line 1 of \"/R/f\"): argument name prefix conflict ($a #1 and $ab #2), be careful about your macro definition!\nServerAdmin 56",
    );
    check(
        "<Macro foo $a $a>\nServerAdmin $a\n</Macro>\nUse foo 5 6\n",
        "Syntax error on line 1 of /R/f: argument name conflict in macro 'foo' (defined on line 1 of \"/R/f\"): argument '$a': #1 and #2, change argument names!",
    );
    check(
        "<Macro foo $a \"\">\nServerAdmin $a\n</Macro>\nUse foo 5 6\n",
        "Syntax error on line 1 of /R/f: macro 'foo' (defined on line 1 of \"/R/f\"): empty argument #2 name",
    );
    check(
        "<Macro foo ${a}>\nServerAdmin ${a}\n</Macro>\nUse foo 5\n",
        "AH00111: Config variable ${a} is not defined\nAH02805: macro 'foo' (defined on line 1 of \"/R/f\") argument name '${a}' (#1) clashes with 'Define' syntax '${...}', better use '$(...)'.\nServerAdmin 5",
    );
    check(
        "<Macro foo ${a>\nServerAdmin ${a\n</Macro>\nUse foo 5\n",
        "AH02805: macro 'foo' (defined on line 1 of \"/R/f\") argument name '${a' (#1) clashes with 'Define' syntax '${...}', better use '$(...)'.\nServerAdmin 5",
    );
}

#[test]
fn macros_6() {
    check(
        "<Macro foo $a>\nServerAdmin x\n</Macro>\nUse foo 5\n",
        "AH02800: macro 'foo' (defined on line 1 of \"/R/f\"): argument '$a' (#1) never used\nServerAdmin x",
    );
    check(
        "<Macro foo>\nUse foo\n</Macro>\nUse foo\n",
        "Syntax error on line 1 of macro 'foo' (defined on line 1 of \"/R/f\") used on line 4 of \"/R/f\": recursive use of macro 'foo' is invalid",
    );
    check(
        "<Macro foo>\nUse bar\n</Macro>\n<Macro bar>\nUse foo\n</Macro>\nUse foo\n",
        "Syntax error on line 1 of macro 'bar' (defined on line 4 of \"/R/f\") used on line 1 of \"macro 'foo' (defined on line 1 of \"/R/f\") used on line 7 of \"/R/f\"\": recursive use of macro 'foo' is invalid",
    );
    check(
        "<Macro foo>\nUse bar\n</Macro>\n<Macro bar>\n<Directory />\n</Macro>\nUse foo\n",
        "AH02795: bad cumulated nesting (+1) in macro 'bar' (defined on line 4 of \"/R/f\")\nSyntax error on line 1 of macro 'bar' (defined on line 4 of \"/R/f\") used on line 1 of \"macro 'foo' (defined on line 1 of \"/R/f\") used on line 7 of \"/R/f\"\": macro 'bar' (defined on line 4 of \"/R/f\") used on line 1 of \"macro 'foo' (defined on line 1 of \"/R/f\") used on line 7 of \"/R/f\"\":1: <Directory> was not closed.",
    );
    check(
        "<Macro foo $a>\n<Macro $a>\nServerAdmin $a\n</Macro>\n</Macro>\nUse foo bar\nUse bar\n",
        "ServerAdmin bar",
    );
    check("<Macro foo>\n<Directory />\n</Files>\nTimeout 5\n</Macro>\n", "");
    check(
        "<Macro foo>\n</Files>\nTimeout 5\n</Macro>\n",
        "AH02793: bad (negative) nesting on line 3 of macro 'foo' (defined on line 1 of \"/R/f\")\nAH02795: bad cumulated nesting (-1) in macro 'foo' (defined on line 1 of \"/R/f\")",
    );
    check("<Macro foo>\n</Files>\n<Files x>\nTimeout 5\n</Macro>\n", "");
}

#[test]
fn macros_7() {
    check("<Macro foo $x $y>\nServerAdmin \"$x $y\"\n</Macro>\nUse foo $y $x\n", "ServerAdmin \"$y $x\"");
    check("<Macro foo $x>\nServerAdmin ${Z$x}\n</Macro>\nDefine Z1 ok\nUse foo 1\n", "ServerAdmin ok");
    check("<IfModule core.c>\n<Macro foo>\nTimeout 5\n</Macro>\nUse foo\n</IfModule>\n", "Timeout 5");
    check(
        "<Macro foo $c>\n<IfModule $c>\nTimeout 5\n</IfModule>\n</Macro>\nUse foo core.c\nUse foo no.c\n",
        "Timeout 5",
    );
    check(
        "<Macro foo $c>\n<IfModule $c>\nTimeout 5\n</Macro>\nUse foo core.c\nTimeout 6\n</IfModule>\n",
        "AH02795: bad cumulated nesting (+1) in macro 'foo' (defined on line 1 of \"/R/f\")\nTimeout 5\nTimeout 6",
    );
    check(
        "<Macro foo>\nInclude nope\n</Macro>\nUse foo\n",
        "Syntax error on line 1 of macro 'foo' (defined on line 1 of \"/R/f\") used on line 4 of \"/R/f\": Could not open configuration file /R/nope: No such file or directory",
    );
    check(
        "<Macro foo>\n\n# c\nTimeout ${A}\n</Macro>\n\n\nUse foo\n",
        "AH00111: Config variable ${A} is not defined\nTimeout ${A}",
    );
    check(
        "MacroIgnoreEmptyArgs\nMacroIgnoreBadNesting\n<Macro foo $a>\n<Directory />\nTimeout 5\n</Macro>\nUse foo \"\"\n",
        "AH02800: macro 'foo' (defined on line 3 of \"/R/f\"): argument '$a' (#1) never used\nSyntax error on line 1 of macro 'foo' (defined on line 3 of \"/R/f\") used on line 7 of \"/R/f\": macro 'foo' (defined on line 3 of \"/R/f\") used on line 7 of \"/R/f\":1: <Directory> was not closed.",
    );
}

#[test]
fn macros_8() {
    check("MacroIgnoreEmptyArgs x\n", "");
    check(
        "<Macro foo $a>\nUse $a\n</Macro>\nUse foo foo\n",
        "Syntax error on line 1 of macro 'foo' (defined on line 1 of \"/R/f\") used on line 4 of \"/R/f\": recursive use of macro 'foo' is invalid",
    );
    check(
        "<Macro /IgnoreEmptyArgs foo $a>\nServerAdmin x$a\n</Macro>\nUse foo \"\"\n",
        "AH02796: macro '/ignoreemptyargs' (defined on line 1 of \"/R/f\") argument name 'foo' (#1) without expected prefix, better prefix argument names with one of '$%@'.\nAH02800: macro '/ignoreemptyargs' (defined on line 1 of \"/R/f\"): argument 'foo' (#1) never used\nSyntax error on line 4 of /R/f: macro 'foo' undefined",
    );
    check("<Macro foo /IgnoreEmptyArgs $a>\nServerAdmin x$a\n</Macro>\nUse foo \"\"\n", "ServerAdmin x");
    check(
        "<Macro foo /Nope $a>\nServerAdmin x$a\n</Macro>\nUse foo \"\" 1\n",
        "AH02804: macro 'foo' (defined on line 1 of \"/R/f\"): unknown flag '/Nope'\nSyntax error on line 4 of /R/f: macro 'foo' (defined on line 1 of \"/R/f\") used with 2 arguments instead of 1",
    );
    check(
        "<Macro foo a=>\nServerAdmin a=\n</Macro>\nUse foo 7\n",
        "AH02796: macro 'foo' (defined on line 1 of \"/R/f\") argument name 'a=' (#1) without expected prefix, better prefix argument names with one of '$%@'.\nServerAdmin 7",
    );
}
