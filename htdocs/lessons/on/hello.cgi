#!/bin/sh
# Executed, because .htaccess in this folder names .cgi and allows programs.

echo "Content-Type: text/html; charset=utf-8"
echo
cat <<'PAGE'
<!doctype html>
<html lang="en">
<meta name="viewport" content="width=device-width">
<title>Executed</title>
<link rel="stylesheet" href="/style.css">
<main>
<h1>Executed</h1>
<p><code>htdocs/lessons/on/hello.cgi</code> is a program in the language of the shell. The ending
<code>.cgi</code> does not tell the language; the first line of the file does:</p>
<pre>#!/bin/sh</pre>
<p class="nav"><a href="/lessons/on/">The lesson</a> <a href="/">Home</a></p>
</main>
PAGE
