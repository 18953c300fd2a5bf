#!/usr/bin/env python3
# Status: the program chooses the number of the answer. Without it, it is 200.

print("Status: 418 I'm a teapot")
print("Content-Type: text/html; charset=utf-8")
print()
print("""<!doctype html>
<html lang="en">
<meta name="viewport" content="width=device-width">
<title>418 I'm a teapot</title>
<link rel="stylesheet" href="/style.css">
<main>
<h1>418 I'm a teapot</h1>
<p>The same can be done with a 404 that shows a page of your own. To see the number:
<code>curl -i http://localhost:8080/cgi-bin/status.py</code></p>
<p class="nav"><a href="/">Home</a> <a href="/source/status.py">The program</a></p>
</main>""")
