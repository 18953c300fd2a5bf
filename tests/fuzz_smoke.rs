//! The properties of `fuzz/`, over a small corpus and mutations of it: the same inputs in every run.
//! `FUZZ_ROUNDS` (how many inputs each, 1,000 if unset) and `FUZZ_SEED` make it longer or other;
//! `FUZZ_INPUT` names a file that holds each input while it is tried, for what ends the process.

#[path = "../fuzz/src/lib.rs"]
mod properties;

use std::panic;

/// Marsaglia's xorshift64.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end.max(1) as u64).unwrap_or(0)
    }

    fn one_of<'a>(&mut self, list: &[&'a [u8]]) -> &'a [u8] {
        list[self.below(list.len())]
    }
}

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// A few bytes, words or whole stretches of the seeds changed, added, moved, taken away.
fn mutated(numbers: &mut Numbers, seeds: &[&[u8]], words: &[&[u8]]) -> Vec<u8> {
    let mut bytes = numbers.one_of(seeds).to_vec();
    for _ in 0..=numbers.below(6) {
        if bytes.is_empty() {
            bytes.push(numbers.next() as u8);
        }
        let at = numbers.below(bytes.len());
        let end = at + numbers.below(bytes.len() - at + 1);
        match numbers.below(8) {
            0 => bytes[at] = numbers.next() as u8,
            1 => drop(bytes.drain(at..end)),
            2 => drop(bytes.splice(at..at, numbers.one_of(words).iter().copied())),
            3 => drop(bytes.splice(at..end, numbers.one_of(words).iter().copied())),
            4 => bytes.extend_from_within(at..end),
            5 => bytes.truncate(at),
            6 => drop(bytes.splice(at..at, numbers.one_of(seeds).iter().copied())),
            _ => {
                let many = numbers.one_of(words).repeat(1 + numbers.below(300));
                drop(bytes.splice(at..at, many));
            }
        }
        bytes.truncate(20_000);
    }
    bytes
}

/// The property holds for the seeds and their mutations; a failure names its input.
#[track_caller]
fn holds(property: fn(&[u8]), seeds: &[&[u8]], words: &[&[u8]]) {
    seeds.iter().for_each(|seed| property(seed));
    let mut numbers = Numbers(number("FUZZ_SEED", 0x9e37_79b9_7f4a_7c15).max(1));
    for _ in 0..number("FUZZ_ROUNDS", 1000) {
        let input = mutated(&mut numbers, seeds, words);
        if let Ok(file) = std::env::var("FUZZ_INPUT") {
            std::fs::write(file, &input).expect("a file that can be written");
        }
        if panic::catch_unwind(|| property(&input)).is_err() {
            panic!("the property does not hold for b\"{}\"", input.escape_ascii());
        }
    }
}

const CONF: &[&[u8]] = &[
    b"ServerName a\nDocumentRoot /www\n<Directory /www>\n  Options +Indexes -ExecCGI\n  Require all granted\n</Directory>\n",
    b"<VirtualHost *:80>\nServerName b\nServerAlias *.b c\n<Location \"/x\">\nSetHandler cgi-script\n</Location>\n</VirtualHost>\n",
    b"Define A b\nDefine C ${A}${HOME}\n<IfDefine !A>\nNonsense\n</IfDefine>\n<IfModule mod_alias.c>\nAlias /${A} \"/www/${C}\"\n</IfModule>\n",
    b"<Macro M $a ${b}>\nRedirect 301 $a http://x/${b}\n</Macro>\nUse M /a b\nUndefMacro M\nInclude more.conf\nIncludeOptional none/*.conf\n",
    b"SetEnvIf Host \"^(.*)\\.b$\" X=$1 !Y\nSetEnvIfExpr \"%{REQUEST_URI} =~ m#^/d/(.*)#\" Z=$1\nBrowserMatchNoCase a b=c\n",
    b"<If \"%{HTTP_HOST} == 'localhost' && -n req('Host')\">\nErrorDocument 404 \"no %{REQUEST_URI}\"\n<Else>\n</Else>\n</If>\n<ElseIf true>\n</ElseIf>\n",
    b"LogFormat \"%h %l %u %t \\\"%r\\\" %>s %b %{Referer}i %!200,304D %{%Y}t\" f\nCustomLog logs/a f env=!x\nErrorLogFormat \"[%{u}t] %M\"\nTimeout 5\nListen 80\n",
    b"<RequireAll>\nRequire ip 10 127.0.0.0/8 ::1\n<RequireNone>\nRequire host x\nRequire not env y\n</RequireNone>\n</RequireAll>\nOrder deny,allow\nDeny from all\nAllow from 10.0.0.1/255.0.0.0 env=x\nSatisfy Any\n",
    b"AddType a/b .c d\nForceType None\nAddHandler cgi-script .cgi\nRemoveType .x\nAddLanguage en .en\nAddCharset utf-8 .u\nMultiviewsMatch Any\nModMimeUsePathInfo On\n",
    b"DirectoryIndex a b /c/d\nFallbackResource /d/page.html\nDirectorySlash Off\n<FilesMatch \"\\.(?<x>p.*)$\">\nRedirectMatch 410 ^/d/(.*)\n</FilesMatch>\n<Limit GET POST>\nRequire all denied\n</Limit>\n",
    b"# a comment \\\n goes on\nServerTokens Prod\\\nuct\n\xef\xbb\xbfOptions \xe2\x80\x9cx\xe2\x80\x9d\n<Directory ~ \"^/w(\">\n",
];

/// Deeper than any stack: each must be an error, not the end of the process.
#[test]
fn what_is_nested_too_deeply_is_an_error() {
    for (begin, end) in
        [("(", ")"), ("!", ""), ("%{tolower:", "}"), ("tolower(", ")"), ("'%{:", ":}'"), ("{", "}")]
    {
        for depth in [90, 300, 5000] {
            let text = [&begin.repeat(depth), "true", &end.repeat(depth)].concat();
            properties::expr(text.as_bytes());
            properties::htaccess(format!("<If \"{text}\">\n</If>\n").as_bytes());
        }
    }
    for section in ["RequireAny", "If true", "Files x", "IfModule mod_dir.c", "IfDefine !x", "Limit GET"] {
        let text = format!("<{section}>\n").repeat(3000);
        properties::htaccess(text.as_bytes());
        properties::syntax(text.as_bytes());
        // The deepest sections that are taken, with the deepest condition inside.
        let deepest = format!(
            "{}<If \"{}true{}\">\n",
            format!("<{section}>\n").repeat(62),
            "(".repeat(99),
            ")".repeat(99)
        );
        properties::htaccess(deepest.as_bytes());
        properties::syntax(deepest.as_bytes());
    }
}

const CONF_WORDS: &[&[u8]] = &[
    b"\n",
    b"\\\n",
    b"\"",
    b"'",
    b"<",
    b">",
    b"</",
    b"<Directory /d>\n",
    b"</Directory>\n",
    b"<If \"true\">\n",
    b"</If>\n",
    b"<IfModule x>\n",
    b"<RequireAny>\n",
    b"</RequireAny>\n",
    b"${",
    b"${A}",
    b"$1",
    b"%{",
    b"}",
    b"*",
    b"(",
    b")",
    b"[",
    b"\0",
    b"\xff",
    b"\xef\xbb\xbf",
    b"99999999999999999999",
    b"-1",
    b"0",
    b" ",
    b"\t",
    b"\r\n",
    b"Include /etc/more.conf\n",
    b"Use M a b\n",
    b"<Macro M $a>\n",
    b"AllowOverride All\n",
    b"Options ",
    b"Require ",
    b"SetEnv A ",
    b"ErrorDocument 404 ",
    b"RLimitCPU ",
    b"LimitRequestBody ",
    b"AcceptPathInfo ",
    b"LogLevel ",
    b"Alias ",
    b"AliasMatch ^/(.*) ",
];

#[test]
fn any_bytes_are_a_configuration_or_an_error() {
    holds(properties::syntax, CONF, CONF_WORDS);
}

#[test]
fn any_bytes_are_a_htaccess_file_or_an_error() {
    holds(properties::htaccess, CONF, CONF_WORDS);
}

#[test]
fn any_bytes_are_an_expression_or_an_error() {
    let seeds: &[&[u8]] = &[
        b"%{HTTP_HOST} == 'a' && !(-n req('X') || %{TIME_HOUR} -gt 5)",
        b"%{REQUEST_URI} =~ m#^/(.*)\\.html$#i && $1 in { 'a', \"b$0\", tolower('C') }",
        b"-R '10.0.0.0/8' || %{REMOTE_ADDR} -ipmatch '::1/128' || 'a' -strmatch '*b?'",
        b"file('/etc/x') == base64(unescape('%41')) . md5(\"%{ENV:X}\") -and true",
        b"%{REQUEST_METHOD} in split s/ /,/, 'a' and 'x' =~ /(?<n>a)|b/ and -f '/www'",
        b"text %{tolower:%{HTTP_HOST}} $1 \\$ %{:sub(s/a/b/g, 'x'):} %{join(', ', split(',', 'a,b'))}",
    ];
    let words: &[&[u8]] = &[
        b"(",
        b")",
        b"!",
        b"%{",
        b"%{:",
        b":}",
        b"}",
        b"{",
        b"'",
        b"\"",
        b"&&",
        b"||",
        b"=~",
        b"m#",
        b"s/",
        b"/",
        b"-in",
        b"in",
        b",",
        b"$1",
        b"$0",
        b"\\",
        b".",
        b"-eq",
        b"true",
        b"func(",
        b"99999999999999999999",
        b"\0",
        b"\xff",
        b"%{ENV:",
        b"not ",
    ];
    holds(properties::expr, seeds, words);
}

#[test]
fn any_bytes_are_a_request_or_an_error() {
    let seeds: &[&[u8]] = &[
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST /cgi-bin/p HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET /d/ HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST /d/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n3;x=\"y\"\r\nabc\r\n0\r\nT: u\r\n\r\n",
        b"GET http://u@[::1]:80/d/%2e%2E/page.html/x?a=%20#f HTTP/1.0\r\nRange: bytes=0-0,-1,2-\r\nIf-Range: \"x\"\r\n\r\n",
        b"HEAD /d/page.html HTTP/1.1\nHost: a:80\nIf-None-Match: W/\"a\", *\nIf-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\n folded\n\n",
        b"OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close, keep-alive\r\nAccept: */*;q=0.1\r\n\r\n",
        b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /\r\n",
        b"PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551616\r\n\r\n",
    ];
    let words: &[&[u8]] = &[
        b"\r\n",
        b"\n",
        b"\r",
        b" ",
        b"\t",
        b":",
        b"\0",
        b"\xff",
        b"/",
        b"//",
        b"/../",
        b"%2f",
        b"%00",
        b"%",
        b"?",
        b"#",
        b"*",
        b"HTTP/1.1",
        b"HTTP/9.9",
        b"Host: b\r\n",
        b"Content-Length: 1\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"ffffffffffffffff",
        b"0\r\n\r\n",
        b"Range: bytes=",
        b"18446744073709551615",
        b"-",
        b",",
        b"\"",
        b"Expect: 100-continue\r\n",
        b";",
        b"=",
    ];
    holds(properties::request_head, seeds, words);
}

#[test]
fn any_bytes_are_a_programs_head_or_an_error() {
    let seeds: &[&[u8]] = &[
        b"Content-Type: text/html; charset=utf-8\nStatus: 404 Not Here\nX-Y: z\nX-Y: w\n\nbody",
        b"Location: /other\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\n\r\n",
        b"Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\nContent-Length: 5\nTransfer-Encoding: chunked\nETag: \"x\"\n\n",
        b"HTTP/1.1 200 OK\nno colon\n\n",
        b"Status: 99999999999999999999\n\n",
    ];
    let words: &[&[u8]] = &[
        b"\n",
        b"\r\n",
        b"\r",
        b":",
        b" ",
        b"\0",
        b"\xff",
        b"Status:",
        b"Status: 0",
        b"Location: ",
        b"A: b\n",
        b"Content-Type:\n",
        b"200",
        b"\n\n",
        b"Set-Cookie: x\n",
        b"\t",
        b";",
    ];
    holds(properties::cgi_head, seeds, words);
}
