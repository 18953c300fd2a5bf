#!/bin/sh
# All that the server tells a program about the request: its environment variables.
LC_ALL=C

echo "Content-Type: text/html; charset=utf-8"
echo
cat <<'PAGE'
<!doctype html>
<html lang="en">
<meta name="viewport" content="width=device-width">
<title>CGI variables</title>
<link rel="stylesheet" href="/style.css">
<main>
<h1>What a program is told</h1>
<p>Add <a href="/cgi-bin/variables.sh/more/path?color=red">a path and a query</a> to the
address, and watch PATH_INFO and QUERY_STRING.</p>
<div class="wide"><table>
PAGE
# The visitor chooses some of these. What goes into a page must be escaped, or a <
# in it becomes part of the page's code.
awk 'function escape(text) {
         gsub(/&/, "\\&amp;", text); gsub(/</, "\\&lt;", text)
         gsub(/>/, "\\&gt;", text); gsub(/"/, "\\&quot;", text)
         gsub(/\n/, " ", text)
         return text
     }
     BEGIN {
         for (name in ENVIRON)
             print "<tr><th scope=row>" escape(name) "<td>" escape(ENVIRON[name])
     }' | sort
cat <<'PAGE'
</table></div>
<p class="nav"><a href="/">Home</a> <a href="/source/variables.sh">The program</a></p>
</main>
PAGE
