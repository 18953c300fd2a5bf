#!/bin/sh
# The smallest complete CGI program: headers, one empty line, the page.

echo "Content-Type: text/html; charset=utf-8"
echo # the empty line: the headers end here
cat <<'PAGE'
<!doctype html>
<html lang="en">
<meta name="viewport" content="width=device-width">
<title>Hello from sh</title>
<link rel="stylesheet" href="/style.css">
<main>
<h1>Hello from sh</h1>
<p>The web server started a program, and this page is what it printed.</p>
<p class="nav"><a href="/">Home</a> <a href="/source/hello.sh">The program</a></p>
</main>
PAGE
