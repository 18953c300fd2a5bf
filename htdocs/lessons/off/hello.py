#!/usr/bin/env python3
# Denied, until Options in .htaccess of this folder allows programs.

print("Content-Type: text/html; charset=utf-8")
print()
print("""<!doctype html>
<html lang="en">
<meta name="viewport" content="width=device-width">
<title>Executed</title>
<link rel="stylesheet" href="/style.css">
<main>
<h1>Executed</h1>
<p>Well done: <code>ExecCGI</code> is on now.</p>
<p class="nav"><a href="/lessons/off/">The lesson</a> <a href="/">Home</a></p>
</main>""")
