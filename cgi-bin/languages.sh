#!/bin/sh
# Which of the languages of the sample programs this computer has. The front page asks
# for languages.sh?json and says what is missing; without the query it is a page.

# version PROGRAM ARGUMENTS...: the first number with a dot that PROGRAM prints; the
# word "found" if it prints none; nothing if there is no such program.
version() {
    command -v "$1" >/dev/null 2>&1 || return
    number=$("$@" 2>&1 </dev/null | sed -n 's/^[^0-9]*\([0-9][0-9]*\.[0-9.]*[0-9]\).*/\1/p' | sed -n 1p)
    echo "${number:-found}"
}

python=$(version python3 --version)
perl=$(version perl -e 'printf "%vd\n", $^V')

if [ "$QUERY_STRING" = json ]; then
    echo "Content-Type: application/json"
    echo "Cache-Control: no-store"
    echo
    echo "{\"python3\": \"$python\", \"perl\": \"$perl\"}"
    exit
fi

missing='not found: its samples answer with error 500 until it is installed'
echo "Content-Type: text/html; charset=utf-8"
echo
cat <<PAGE
<!doctype html>
<html lang="en">
<meta name="viewport" content="width=device-width">
<title>Languages</title>
<link rel="stylesheet" href="/style.css">
<main>
<h1>Languages on this computer</h1>
<table>
<tr><th scope=row>Python 3<td>${python:-$missing}
<tr><th scope=row>Perl<td>${perl:-$missing}
<tr><th scope=row>sh<td>present, or this page could not have been printed
</table>
<p class="nav"><a href="/">Home</a> <a href="/source/languages.sh">The program</a></p>
</main>
PAGE
