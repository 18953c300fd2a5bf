#!/usr/bin/env python3
# A cookie: text that the browser keeps and sends along with each later request.
import os
import re

# HTTP_COOKIE looks like a=1; visits=2. The visitor can change it: take digits only.
cookie = re.search(r"(?:^|;\s*)visits=([0-9]{1,6})(?:;|$)", os.environ.get("HTTP_COOKIE", ""))
visits = int(cookie[1]) + 1 if cookie else 1

print("Content-Type: text/html; charset=utf-8")
print(f"Set-Cookie: visits={visits}; Path=/cgi-bin/; Max-Age=86400; HttpOnly; SameSite=Lax")
print()
print(f"""<!doctype html>
<html lang="en">
<meta name="viewport" content="width=device-width">
<title>A cookie</title>
<link rel="stylesheet" href="/style.css">
<main>
<h1>Visit number {visits}</h1>
<p>The program forgot you as soon as it ended. Your browser reminded it, by the header
<code>Cookie: visits={visits - 1 or "..."}</code>. <a href="/cgi-bin/cookie.py">Come again</a>.</p>
<p class="nav"><a href="/">Home</a> <a href="/source/cookie.py">The program</a></p>
</main>""")
