#!/usr/bin/env python3
# The smallest complete CGI program: headers, one empty line, the page.

print("Content-Type: text/html; charset=utf-8")
print()  # the empty line: the headers end here
print("""<!doctype html>
<html lang="en">
<meta name="viewport" content="width=device-width">
<title>Hello from Python</title>
<link rel="stylesheet" href="/style.css">
<main>
<h1>Hello from Python</h1>
<p>The web server started a program, and this page is what it printed.</p>
<p class="nav"><a href="/">Home</a> <a href="/source/hello.py">The program</a></p>
</main>""")
