#!/bin/sh
# Status: the program chooses the number of the answer. Without it, it is 200.

echo "Status: 418 I'm a teapot"
echo "Content-Type: text/html; charset=utf-8"
echo
cat <<'PAGE'
<!doctype html>
<html lang="en">
<meta name="viewport" content="width=device-width">
<title>418 I'm a teapot</title>
<link rel="stylesheet" href="/style.css">
<main>
<h1>418 I'm a teapot</h1>
<p>The same can be done with a 404 that shows a page of your own. To see the number:
<code>curl -i http://localhost:8080/cgi-bin/status.sh</code></p>
<p class="nav"><a href="/">Home</a> <a href="/source/status.sh">The program</a></p>
</main>
PAGE
