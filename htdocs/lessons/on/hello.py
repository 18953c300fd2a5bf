#!/usr/bin/env python3
# Executed, because .htaccess in this folder names .py and allows programs.

print("Content-Type: text/html; charset=utf-8")
print()
print("""<!doctype html>
<html lang="en">
<meta name="viewport" content="width=device-width">
<title>Executed</title>
<link rel="stylesheet" href="/style.css">
<main>
<h1>Executed</h1>
<p><code>htdocs/lessons/on/hello.py</code> lies among ordinary pages, and yet it was run.
<code>.htaccess</code> in its folder says so, with two lines:</p>
<pre>Options +ExecCGI
AddHandler cgi-script .py .cgi</pre>
<p class="nav"><a href="/lessons/on/">The lesson</a> <a href="/">Home</a></p>
</main>""")
