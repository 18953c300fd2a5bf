//! The exact words with which Apache refuses a directive.

use super::{read, world};
use crate::diag::{Apache, Severity};

/// Apache's message behind `AH00526: Syntax error on line N of F:`, as `N: message`; `OK` without
/// an error. Warnings are left out.
#[track_caller]
fn check(text: &str, expected: &str) {
    let loaded = read(text, &world());
    let found = match loaded.first_error().map(|error| &error.apache) {
        None => "OK".to_owned(),
        Some(Apache::Plain(text) | Apache::Program(text)) => {
            let text = text.strip_prefix("AH00526: ").unwrap_or(text);
            text.replace("Syntax error on line ", "").replace(" of F:\n", ": ").replace(" of F: ", ": ")
        }
        Some(Apache::Silent) => "silent".to_owned(),
    };
    assert_eq!(found, expected, "{text}");
}

/// Apache's warning.
#[track_caller]
fn warns(text: &str, expected: &str) {
    let loaded = read(text, &world());
    assert!(!loaded.has_errors(), "{text}");
    let warnings = loaded.diagnostics.iter().filter(|d| d.severity != Severity::Error);
    let texts: Vec<&str> = warnings
        .filter_map(|d| match &d.apache {
            Apache::Plain(text) => Some(text.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(texts, [expected], "{text}");
}

#[test]
fn sections_where_they_may_not_stand() {
    check("<Directory /a>\n<Directory /b>\n</Directory>\n</Directory>", "2: <Directory not allowed in <Directory> context");
    check("<files a>\n<location /b>\n</location>\n</files>", "2: <Location not allowed in <Files> context");
    check("<Location /a>\n<Files /b>\n</Files>\n</Location>", "2: <Files> cannot occur within <Location> section");
    check("<LocationMatch /a>\n<FilesMatch b>\n</FilesMatch>\n</LocationMatch>", "2: <FilesMatch> cannot occur within <LocationMatch> section");
    check("<Location /a>\n<If true>\n<Files b>\n</Files>\n</If>\n</Location>", "3: <Files> cannot occur within <Location> section");
    check("<VirtualHost *>\n<VirtualHost *>\n</VirtualHost>\n</VirtualHost>", "2: <VirtualHost> cannot occur within <VirtualHost> section");
    check("<Limit GET>\n</Limit>", "1: <Limit not allowed here");
    check("<VirtualHost *>\n<Limit GET>\n</Limit>\n</VirtualHost>", "2: <Limit not allowed in <VirtualHost> context");
    check("<Directory /a>\n<Limit GET>\n<If true>\n</If>\n</Limit>\n</Directory>", "3: <If> cannot occur within <Limit> or <LimitExcept> section");
    check("<Directory /a>\n<Files b>\n<If true>\n</If>\n</Files>\n</Directory>", "OK");
}

#[test]
fn directives_where_they_may_not_stand() {
    check("<directory /a>\nlisten 80\n</directory>", "2: Listen not allowed in <Directory> context");
    check("<Directory /a>\n<If true>\nDocumentRoot /srv\n</If>\n</Directory>", "3: DocumentRoot not allowed in <If> context");
    check("AllowOverride All", "1: AllowOverride not allowed here");
    check("CGIPassAuth on", "1: CGIPassAuth not allowed here");
    check("<VirtualHost *>\nListen 80\n</VirtualHost>", "2: Listen cannot occur within <VirtualHost> section");
    check("<VirtualHost *>\nUser a\n</VirtualHost>", "2: User cannot occur within <VirtualHost> section");
    check("<VirtualHost *>\nTimeout 5\nLimitRequestLine 5\nHostnameLookups on\n</VirtualHost>", "OK");
}

#[test]
fn opening_tags() {
    check("<Directory /a\n</Directory>", "1: <Directory> directive missing closing '>'");
    check("<Directory>\n</Directory>", "1: <Directory> directive requires additional arguments");
    check("<Directory ~>\n</Directory>", "OK");
    check("<Directory ~ \"(\">\n</Directory>", "1: Regex could not be compiled");
    check("<Directory \"/a\" b>\n</Directory>", "1: Multiple <Directory> arguments not (yet) supported.");
    check("<DirectoryMatch /a /b >\n</DirectoryMatch>", "1: Multiple <DirectoryMatch> arguments not (yet) supported.");
    check("<Files>\n</Files>", "1: <Files> directive requires additional arguments");
    check("<VirtualHost *:99999>\n</VirtualHost>", "1: The address or port is invalid");
    check("<VirtualHost *:80 *:81 _default_:90 [::1]:5 127.0.0.1>\nServerName a:77\n</VirtualHost>", "OK");
}

#[test]
fn limits_of_methods() {
    let limit = |inner: &str| format!("<Directory /a>\n{inner}\n</Directory>");
    check(&limit("<Limit>\n</Limit>"), "2: <Limit> directive requires additional arguments");
    check(&limit("<Limit TRACE>\n</Limit>"), "2: TRACE cannot be controlled by <Limit>, see TraceEnable");
    check(&limit("<LimitExcept TRACE>\n</LimitExcept>"), "OK");
    check(&limit("<Limit GET>\n<Limit POST>\n</Limit>\n</Limit>"), "3: <Limit> directive excludes all methods");
}

#[test]
fn chains_of_conditions() {
    let alone = "<Else> or <ElseIf> section without previous <If> or <ElseIf> section in same scope";
    check("<Else>\n</Else>", &format!("1: {alone}"));
    check("<ElseIf true>\n</ElseIf>", &format!("1: {alone}"));
    check("<If true>\n</If>\n<Else>\n</Else>\n<Else>\n</Else>", &format!("5: {alone}"));
    check("<If true>\n</If>\n<Files a>\n<Else>\n</Else>\n</Files>", &format!("4: {alone}"));
    check("<If true>\n</If>\nOptions None\n<Else>\n</Else>", "OK");
    check("<Else foo>\n</Else>", "1: <Else> does not take an argument");
    check("<ElseIf>\n</ElseIf>", "1: <ElseIf> directive requires additional arguments");
    check("<If \"bogus(\">\n</If>", "1: Cannot parse condition clause: syntax error, unexpected $end");
}

#[test]
fn options() {
    check("Options", "OK");
    check("Options Bogus", "1: Illegal option Bogus");
    check("Options +Bogus", "1: Illegal option Bogus");
    check("Options ExecCGI +Indexes", "1: Either all Options must start with + or -, or no Option may.");
    check("Options +Indexes ExecCGI", "1: Either all Options must start with + or -, or no Option may.");
    check("Options All MultiViews", "OK");
    check("Options ExecCGI All", "1: 'Options All' must be the first option given.");
    check("Options None Indexes", "OK");
    check("Options -All", "1: You may not use 'Options +All' or 'Options -All'.");
    check("Options +None", "1: You may not use 'Options +None' or 'Options -None'.");
    check("Options Indexes \"\"", "1: Illegal option ");
    check("Options Indexes\nOptions +ExecCGI\nOptions -Indexes", "OK");
}

#[test]
fn what_htaccess_may_say() {
    let inside = |line: &str| format!("<Directory /a>\n{line}\n</Directory>");
    check(&inside("AllowOverride Bogus"), "2: Illegal override option Bogus");
    check(&inside("AllowOverride Options=Bogus"), "2: Illegal option Bogus");
    check(&inside("AllowOverride options=indexes,MultiViews authconfig"), "OK");
    check(&inside("AllowOverride Nonfatal"), "2: =Override, =Unknown or =All expected after Nonfatal");
    check(&inside("AllowOverrideList None Options"), "2: 'None' not allowed with other directives in AllowOverrideList");
    warns("<Location /a>\nAllowOverride None\n</Location>", "AH00114: Useless use of AllowOverride in line 2 of F.");
    warns("<Location /a>\nAllowOverrideList None\n</Location>", "AH00115: Useless use of AllowOverrideList at F:2");
    warns(&inside("AllowOverrideList Bogus"), "AH00116: Discarding unrecognized directive `Bogus' in AllowOverrideList at F:2");
    warns(&inside("AllowOverrideList Listen"), "AH02304: Discarding directive `Listen' not allowed in AllowOverrideList at F:2");
}

#[test]
fn documents() {
    check("SetHandler a b", "1: SetHandler takes one argument, a handler name that overrides any other configured handler");
    check("SetHandler \"expr=%{bogus}\"", "1: Can't parse expression : Variable 'bogus' does not exist");
    check("ErrorDocument 404 x y z", "1: ErrorDocument takes two arguments, Change responses for HTTP errors");
    check("ErrorDocument abc \"x\"", "1: Unsupported HTTP response code abc");
    check("ErrorDocument 499 \"x\"", "1: Unsupported HTTP response code 499");
    check("ErrorDocument 404x x", "OK");
    check("AcceptPathInfo bogus", "1: AcceptPathInfo must be set to on, off or default");
    check("FileETag Bogus", "1: Unknown keyword 'Bogus' for FileETag directive");
    check("FileETag +All", "1: FileETag keyword 'All' cannot be used with '+' or '-'");
    check("FileETag -INode -MTime -Size", "OK");
    check("EnableMMAP bogus", "1: parameter must be 'on' or 'off'");
    check("MaxRanges 0", "1: MaxRanges requires 'none', 'default', 'unlimited' or a positive integer");
    check("CGIVar a b", "1: Unrecognized CGI variable: \"a\"");
    check("CGIVar REQUEST_URI b", "1: Valid rules for REQUEST_URI are 'current-uri' and 'original-uri'");
    warns("DefaultType text/plain", "AH00117: Ignoring deprecated use of DefaultType in line 1 of F.");
    warns("ErrorDocument 401 http://foo/", "AH00113: F:1 cannot use a full URL in a 401 ErrorDocument directive --- ignoring!");
}

#[test]
fn hosts() {
    check("DocumentRoot /nope", "1: DocumentRoot '/nope' is not a directory, or is not readable");
    check("DocumentRoot \"/nope/\"", "1: DocumentRoot '/nope/' is not a directory, or is not readable");
    check("DocumentRoot nope", "1: DocumentRoot '/etc/httpd/nope' is not a directory, or is not readable");
    check("ServerName foo:abc", "1: The port number \"foo:abc\" is outside the appropriate range (i.e., 1..65535).");
    check("ServerName [::1]:80", "1: Invalid ServerName \"[::1]:80\" use ServerAlias to set multiple server names.");
    check("ServerName http://foo:80", "OK");
    check("ServerName foo:80:90", "OK");
    check("ServerAlias foo", "1: ServerAlias only used in <VirtualHost>");
    check("Port 80", "1: Port was replaced with Listen in Apache 2.0");
    check("ServerTokens Production", "1: ServerTokens takes 1 argument: 'Prod(uctOnly)', 'Major', 'Minor', 'Min(imal)', 'OS', or 'Full'");
    check("UseCanonicalName bogus", "1: parameter must be 'on', 'off', or 'dns'");
    check("TraceEnable bogus", "1: TraceEnable must be one of 'on', 'off', or 'extended'");
    check("HttpProtocolOptions Allow0.9 Require1.0", "1: HttpProtocolOptions 'Allow0.9' and 'Require1.0' are mutually exclusive");
    check("KeepAlive maybe", "1: KeepAlive must be On or Off");
    check("KeepAlive on off", "OK");
    check("KeepAliveTimeout abc", "1: KeepAliveTimeout has wrong format");
    check("Timeout 5 # five", "1: Timeout takes one argument, Timeout duration (sec)");
    check("Timeout abc", "OK");
    warns("NameVirtualHost *", "AH00548: NameVirtualHost has no effect and will be removed in the next release F:1");
}

#[test]
fn listeners() {
    check("Listen", "1: Listen requires 1 or 2 arguments.");
    check("Listen abc", "1: Port must be specified");
    check("Listen 0", "1: Invalid address or port");
    check("Listen 127.0.0.1:80\nListen 127.0.0.1:80", "2: Cannot define multiple Listeners on the same IP:port");
    check("Listen 80 https", "OK");
    check("ListenBacklog 0", "1: ListenBacklog must be > 0");
    check("SendBufferSize 100", "1: SendBufferSize must be >= 512 bytes, or 0 for system default.");
}

#[test]
fn limits() {
    check("LimitRequestLine -1", "1: LimitRequestLine \"-1\" must be a non-negative integer");
    check("LimitRequestFieldSize -1", "1: LimitRequestFieldsize \"-1\" must be a non-negative integer");
    check("LimitRequestFields -1", "1: LimitRequestFields \"-1\" must be a non-negative integer (0 = no limit)");
    check("LimitRequestBody abc", "1: LimitRequestBody requires a non-negative integer.");
    check("LimitRequestBody 99999999999999999999", "1: LimitRequestBody argument is not parsable.");
    check("LimitInternalRecursion 5 0", "1: The recursion limit must be greater than zero.");
    check("ReadBufferSize abc", "1: parameter must be a number between 0 and (4294967295U)): abc");
}

#[test]
fn logs() {
    let levels = "Log level keyword must be one of emerg/alert/crit/error/warn/notice/info/debug/trace1/.../trace8";
    check("LogLevel bogus", &format!("1: {levels}"));
    check("LogLevel core:bogus", &format!("1: core:bogus: {levels}"));
    check("LogLevel nosuch:info", "1: Cannot find module nosuch");
    check("LogLevel core:", "1: Module specifier 'core' must be followed by a log level keyword");
    check("LogLevel warn core:info mod_so.c:debug so_module:trace8", "OK");
    check("ErrorLogFormat \"%Z\"", "1: Unrecognized error log format directive %Z");
    check("ErrorLogFormat bogus \"%t\"", "1: ErrorLogFormat type must be one of request, connection");
    check("ErrorLogFormat \"%t\"", "1: main ErrorLogFormat must contain message format string '%M'");
}

#[test]
fn unknown_names() {
    let unknown = "perhaps misspelled or defined by a module not included in the server configuration";
    check("Bogus", &format!("1: Invalid command 'Bogus', {unknown}"));
    check("RewriteEngine on", &format!("1: Invalid command 'RewriteEngine', {unknown}"));
    check("Error foo bar", "1: foo bar");
    check("Error", "1: The Error directive was used with no message.");
}

#[test]
fn load_module_chooses_modules() {
    let unknown = "perhaps misspelled or defined by a module not included in the server configuration";
    check("LoadModule mark_module x.so\nMark a", "OK");
    check("LoadModule open_module x.so\nMark a", &format!("2: Invalid command 'Mark', {unknown}"));
    check("LoadModule open_module x.so\n<IfModule mod_mark.c>\nMark a\n</IfModule>", "OK");
    check("LoadModule rewrite_module x.so\n<IfModule mod_rewrite.c>\nRewriteEngine on\n</IfModule>", "OK");
    warns(
        "LoadModule mark_module x.so\nLoadModule mark_module x.so",
        "AH01574: module mark_module is already loaded, skipping",
    );
}

#[test]
fn all_errors_are_told() {
    let loaded = read("Options Bogus\nTimeout\n<Directory /a>\nListen 80\n</Directory>", &world());
    assert_eq!(loaded.diagnostics.iter().filter(|d| d.severity == Severity::Error).count(), 3);
}
