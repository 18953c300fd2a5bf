#!/usr/bin/env python3
# A form with method GET: what was typed arrives in the URL, as QUERY_STRING.
import html
import os
import sys
from urllib.parse import parse_qs

sys.stdout.reconfigure(encoding="utf-8", errors="replace")

query = os.environ.get("QUERY_STRING", "")  # for example name=Ada+L%C3%B6w
name = parse_qs(query).get("name", [""])[0]  # Ada Löw

print("Content-Type: text/html; charset=utf-8")
print()
print(f"""<!doctype html>
<html lang="en">
<meta name="viewport" content="width=device-width">
<title>A GET form</title>
<link rel="stylesheet" href="/style.css">
<main>
<h1>{"Hello, " + html.escape(name) if name else "Who are you?"}</h1>
<form method="get" action="/cgi-bin/get.py">
  <label for="name">Your name</label>
  <input id="name" name="name" value="{html.escape(name)}" autocomplete="off">
  <button>Send</button>
</form>
<p>QUERY_STRING is <code>{html.escape(query) or "empty"}</code>. It is part of the
address: it can be bookmarked, and it stands in logs. No place for secrets.</p>
<p class="nav"><a href="/">Home</a> <a href="/source/get.py">The program</a></p>
</main>""")
