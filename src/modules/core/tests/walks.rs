//! Which sections hold for a request, and in which order. Apache was asked with `Header always
//! append X` in place of `Mark`.

use super::{Site, world};

fn sections(list: &[(&str, &str)]) -> String {
    let one = |(tag, word): &(&str, &str)| {
        let name = tag.split(' ').next().unwrap_or_default();
        format!("<{tag}>\nMark {word}\n</{name}>\n")
    };
    list.iter().map(one).collect()
}

#[track_caller]
fn check(config: &str, request: &str, expected: &str) {
    assert_eq!(Site::new(config).marks(request), expected, "{request} under\n{config}");
}

const DIRECTORIES: &[(&str, &str)] = &[
    ("Directory /srv/a.html", "dirfile"),
    ("DirectoryMatch \"a\\.html$\"", "re-a"),
    ("DirectoryMatch \"sub$\"", "re-sub$"),
    ("DirectoryMatch \"sub/$\"", "re-sub/$"),
    ("DirectoryMatch \"deep\"", "re-deep"),
    ("DirectoryMatch \"nope\"", "re-nope"),
    ("Directory /*/sub", "wild"),
    ("Directory /srv/sub", "sub"),
    ("Directory \"/srv/s*\"", "ws*"),
    ("Directory \"/srv/?ub/\"", "?ub"),
    ("Directory \"/srv/[s]ub/deep\"", "[s]"),
    ("Files sub", "F-sub"),
    ("Files b.txt", "F-b"),
    ("Files nope", "F-nope"),
    ("Files \"\"", "F-empty"),
    ("Files *", "F*"),
    ("FilesMatch ^$", "Fre-empty"),
    ("FilesMatch ^b", "Fre-b"),
];

#[test]
fn directories_and_files() {
    let config = sections(DIRECTORIES);
    check(&config, "GET /a.html", "200 dirfile re-a F*");
    check(&config, "GET /a.html/more", "404 re-a F*");
    check(&config, "GET /sub", "404 wild sub ws* ?ub re-sub$ F-sub F*");
    check(&config, "GET /sub/", "404 wild sub ws* ?ub re-sub/$ F-empty F* Fre-empty");
    check(&config, "GET /sub/b.txt", "200 wild sub ws* ?ub F-b F* Fre-b");
    check(&config, "GET /sub/deep/c.txt", "200 wild sub ws* ?ub [s] re-deep F*");
    check(&config, "GET /nope", "404 re-nope F-nope F*");
    check(&config, "GET /nope/x/y", "404 re-nope F-nope F*");
    check(&config, "GET /sub/nope", "404 wild sub ws* ?ub re-nope F-nope F*");
    check(&config, "GET /sub/b.txt/more/", "404 wild sub ws* ?ub F-b F* Fre-b");
    check(&config, "GET /a.html/", "404 re-a F*");
}

const LOCATIONS: &[(&str, &str)] = &[
    ("Location /sub", "L"),
    ("Location /sub/", "L/"),
    ("Location /su*", "L*"),
    ("Location /*/b.txt", "L*/b"),
    ("LocationMatch ^/sub/b", "LM"),
    ("LocationMatch //", "LM//"),
    ("Location /sub//b.txt", "L//"),
    ("Location sub", "Lrel"),
    ("Location http://localhost/sub", "Lurl"),
    ("Location ~ b", "L~b"),
    ("Location /", "L-root"),
    ("Location /sub/b.tx?", "L?"),
    ("Location /sub/?eep", "L?eep"),
    ("LocationMatch /$", "LM/$"),
];

#[test]
fn locations() {
    let config = format!("MergeSlashes Off\n{}", sections(LOCATIONS));
    check(&config, "GET /sub/b.txt", "200 L L/ L*/b LM L~b L-root L?");
    check(&config, "GET /sub", "404 L L* L~b L-root");
    check(&config, "GET /sub/", "404 L L/ L~b L-root LM/$");
    check(&config, "GET /sub//b.txt", "200 L L/ L*/b LM// L~b L-root L?");
    check(&config, "GET //sub/b.txt", "200 L L/ L*/b LM L~b L-root L?");
    check(&config, "GET /sub/deep/c.txt", "200 L L/ L~b L-root");
    check(&config, "GET /subx", "404 L* L~b L-root");
    check(&config, "GET /", "404 L-root LM/$");
}

#[test]
fn merged_slashes() {
    let config = sections(&[
        ("Location /sub//b.txt", "L//"),
        ("Location /sub/b.txt", "L"),
        ("LocationMatch //", "LM//"),
    ]);
    check(&config, "GET /sub//b.txt", "200 L");
}

#[test]
fn chains_of_conditions() {
    let config = sections(&[
        ("If true", "1"),
        ("ElseIf true", "2"),
        ("Else", "3"),
        ("If false", "4"),
        ("ElseIf false", "4b"),
        ("ElseIf true", "5"),
        ("ElseIf true", "5b"),
        ("Else", "6"),
        ("If false", "7"),
    ]);
    check(&config, "GET /a.html", "200 1 5");
}

#[test]
fn conditions_inside_sections_come_in_the_order_of_the_groups() {
    let config = "<Files b.txt>\n<If true>\nMark F1\n</If>\n<If false>\nMark F2\n</If>\n<Else>\nMark F3\n</Else>\n</Files>\n\
         <Directory /srv/sub>\n<If true>\nMark D1\n</If>\n</Directory>\n<Location /sub>\n<If true>\nMark L1\n</If>\n</Location>\n\
         <If true>\nMark O1\n<Files b.txt>\nMark never\n</Files>\n</If>\n";
    check(config, "GET /sub/b.txt", "200 O1 D1 F1 F3 L1");
}

#[test]
fn nested_conditions_are_walked_level_by_level() {
    let nest = |n: &str| {
        format!("<If true>\nMark {n}\n<If true>\nMark {n}1\n<If true>\nMark {n}2\n</If>\n</If>\n</If>\n")
    };
    check(&(nest("A") + &nest("B")), "GET /a.html", "200 A B A1 B1 A2 B2");
}

#[test]
fn files_of_the_server_come_before_those_of_directories() {
    let config = "<Files b.txt>\nMark F1\n<Files b.txt>\nMark never\n</Files>\n</Files>\n\
         <Directory /srv>\n<Files b.txt>\nMark DF\n</Files>\n</Directory>\n<Files \"b.*\">\nMark F2\n</Files>\n";
    check(config, "GET /sub/b.txt", "200 F1 F2 DF");
}

#[test]
fn the_main_server_comes_before_the_virtual_host() {
    let main = [
        ("Directory /srv", "m1"),
        ("DirectoryMatch sub", "mre"),
        ("Location /", "mL"),
        ("Files b.txt", "mF"),
        ("If true", "mIf"),
    ];
    let host = [
        ("Directory /", "v0"),
        ("Directory /srv", "v1"),
        ("DirectoryMatch sub", "vre"),
        ("Location /", "vL"),
        ("Files b.txt", "vF"),
        ("If true", "vIf"),
    ];
    let late = [("Directory /srv", "m2"), ("Location /", "mL2"), ("Files b.txt", "mF2"), ("If true", "mIf2")];
    let config =
        format!("{}<VirtualHost *>\n{}</VirtualHost>\n{}", sections(&main), sections(&host), sections(&late));
    check(&config, "GET /sub/b.txt", "200 v0 m1 m2 v1 mre vre mF mF2 vF mL mL2 vL mIf mIf2 vIf");
}

#[test]
fn htaccess_comes_right_after_its_directory() {
    let world = world()
        .with("/srv/.htaccess", "Mark h1\n<Files b.txt>\nMark hF\n</Files>")
        .with("/srv/sub/.htaccess", "Mark h2");
    let config = "<Directory />\nAllowOverride All\n</Directory>\n<Directory /srv>\nMark d1\n</Directory>\n<Directory /srv/sub>\nMark d2\n</Directory>\n";
    assert_eq!(Site::over(config, world).marks("GET /sub/b.txt"), "200 d1 h1 d2 h2 hF");
}

/// `/srv/.htaccess` under what a section for `/srv` says of overriding.
#[track_caller]
fn htaccess(overrides: &str, text: &str, expected: &str) {
    let config = format!("<Directory /srv>\n{overrides}\n</Directory>");
    let mut site = Site::over(&config, world().with("/srv/.htaccess", text));
    assert_eq!(site.marks("GET /a.html"), expected, "{overrides}: {text}");
}

#[test]
fn htaccess_is_not_read_unless_allowed() {
    htaccess("AllowOverride None", "Bogus", "200");
    htaccess("AllowOverride All\nAllowOverride None", "Bogus", "200");
    htaccess("AllowOverride None\nAllowOverrideList None", "Options None", "200");
}

#[test]
fn a_mistake_in_htaccess_is_500() {
    htaccess("", "Bogus", "500");
    htaccess("", "Options None", "500");
    htaccess("AllowOverride All", "Bogus", "500");
    htaccess("AllowOverride All", "<Files a.html>\nMark x", "500");
    htaccess("AllowOverride All", "DocumentRoot /srv", "500");
    htaccess("AllowOverride All", "<Directory /x>\n</Directory>", "500");
    htaccess("AllowOverride All", "Options +ExecCGI Indexes", "500");
}

#[test]
fn classes_of_directives() {
    htaccess("AllowOverride FileInfo", "AcceptPathInfo On\nMark x", "200 x");
    htaccess("AllowOverride FileInfo", "Options None", "500");
    htaccess("AllowOverride FileInfo", "<Files a.html>\nOptions None\n</Files>", "500");
    htaccess("AllowOverride FileInfo", "<Limit GET>\n</Limit>", "500");
    htaccess("AllowOverride FileInfo", "Define X", "500");
}

#[test]
fn words_of_options() {
    htaccess("AllowOverride All", "Options +MultiViews", "200");
    htaccess("AllowOverride Options", "Options +MultiViews", "500");
    htaccess("AllowOverride Options=Indexes", "Options All", "500");
    htaccess("AllowOverride Options=Indexes", "Options -ExecCGI", "500");
    htaccess("AllowOverride Options=Indexes", "Options None", "200");
    htaccess("AllowOverride Options=Includes", "Options IncludesNOEXEC", "200");
    htaccess("AllowOverride Options=IncludesNOEXEC", "Options Includes", "500");
    htaccess("AllowOverride Options=All,MultiViews", "Options MultiViews", "200");
    htaccess("AllowOverride Options=None,Indexes", "Options Indexes", "200");
}

#[test]
fn forgiven_mistakes() {
    htaccess("AllowOverride FileInfo Nonfatal=Override", "Options None\nMark x", "200 x");
    htaccess("AllowOverride FileInfo Nonfatal=Unknown", "Bogus\nMark x", "200 x");
    htaccess("AllowOverride Nonfatal=All FileInfo", "Bogus\nOptions None\nMark x", "200 x");
    htaccess("AllowOverride Nonfatal=All All", "Bogus\nMark x", "500");
    htaccess("AllowOverride Nonfatal=All", "Bogus", "200");
}

#[test]
fn single_directives() {
    htaccess("AllowOverride None\nAllowOverrideList Mark", "Mark x", "200 x");
    htaccess("AllowOverride None\nAllowOverrideList Mark", "Options None", "500");
    htaccess(
        "AllowOverride None\nAllowOverrideList Mark",
        "Mark x\n<IfModule core.c>\nMark y\n</IfModule>",
        "500",
    );
    htaccess(
        "AllowOverride None\nAllowOverrideList Mark <IfModule",
        "Mark x\n<IfModule core.c>\nMark y\n</IfModule>",
        "200 x y",
    );
}

#[test]
fn htaccess_knows_what_was_defined() {
    let world = world().with("/srv/.htaccess", "<IfDefine BAR>\nMark ${BAZ}\n</IfDefine>");
    let config = "Define BAR\nDefine BAZ 7\n<Directory />\nAllowOverride All\n</Directory>";
    assert_eq!(Site::over(config, world).marks("GET /a.html"), "200 7");
}

#[test]
fn server_path_is_cut_off_where_it_ends_at_a_slash() {
    let config = "<VirtualHost *>\nServerName v2\nServerPath /sub\n</VirtualHost>";
    check(config, "GET /sub/a.html\nHost: v2\n", "200");
    check(config, "GET /subx/a.html\nHost: v2\n", "404");
}

#[test]
fn without_a_document_root_the_file_system_is_not_served() {
    let world = world().with("/etc/passwd", "secret").with("/etc/httpd/htdocs/page", "page");
    assert_eq!(Site::without_root(world.clone()).marks("GET /etc/passwd"), "404");
    assert_eq!(Site::without_root(world).marks("GET /page"), "200");
}
