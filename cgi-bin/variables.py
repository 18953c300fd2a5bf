#!/usr/bin/env python3
# All that the server tells a program about the request: its environment variables.
import html
import os
import sys

# Under a web server the locale is plain C. Say what we write, and write a ? for
# what is no text at all.
sys.stdout.reconfigure(encoding="utf-8", errors="replace")

print("Content-Type: text/html; charset=utf-8")
print()
print("""<!doctype html>
<html lang="en">
<meta name="viewport" content="width=device-width">
<title>CGI variables</title>
<link rel="stylesheet" href="/style.css">
<main>
<h1>What a program is told</h1>
<p>Add <a href="/cgi-bin/variables.py/more/path?color=red">a path and a query</a> to the
address, and watch PATH_INFO and QUERY_STRING.</p>
<div class="wide"><table>""")
for name, value in sorted(os.environ.items()):
    # The visitor chooses some of these. What goes into a page must be escaped,
    # or a < in it becomes part of the page's code.
    print(f"<tr><th scope=row>{html.escape(name)}<td>{html.escape(value)}")
print("""</table></div>
<p class="nav"><a href="/">Home</a> <a href="/source/variables.py">The program</a></p>
</main>""")
