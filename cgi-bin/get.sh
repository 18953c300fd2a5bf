#!/bin/sh
# A form with method GET: what was typed arrives in the URL, as QUERY_STRING.
LC_ALL=C # work on bytes
export LC_ALL

escape() {
    sed 's/&/\&amp;/g; s/</\&lt;/g; s/>/\&gt;/g; s/"/\&quot;/g'
}

# field NAME: that field of the name=value&name=value on standard input, where + is
# a space and %41 is A.
field() {
    tr '&' '\n' | sed -n "s/^$1=//p" | awk '
        BEGIN { for (i = 1; i < 256; i++) byte[sprintf("%02X", i)] = sprintf("%c", i) }
        NR == 1 {
            gsub(/\+/, " ")
            while (match($0, /%[0-9A-Fa-f][0-9A-Fa-f]/)) {
                printf "%s%s", substr($0, 1, RSTART - 1), byte[toupper(substr($0, RSTART + 1, 2))]
                $0 = substr($0, RSTART + 3)
            }
            print
        }'
}

# Always quote "$variables", and print with printf: echo changes some texts.
query=$(printf '%s' "$QUERY_STRING" | escape)
name=$(printf '%s\n' "$QUERY_STRING" | field name | escape)

echo "Content-Type: text/html; charset=utf-8"
echo
cat <<PAGE
<!doctype html>
<html lang="en">
<meta name="viewport" content="width=device-width">
<title>A GET form</title>
<link rel="stylesheet" href="/style.css">
<main>
<h1>${name:+Hello, }${name:-Who are you?}</h1>
<form method="get" action="/cgi-bin/get.sh">
  <label for="name">Your name</label>
  <input id="name" name="name" value="$name" autocomplete="off">
  <button>Send</button>
</form>
<p>QUERY_STRING is <code>${query:-empty}</code>. It is part of the address: it can be
bookmarked, and it stands in logs. No place for secrets.</p>
<p class="nav"><a href="/">Home</a> <a href="/source/get.sh">The program</a></p>
</main>
PAGE
