#!/bin/sh
# Denied, until Options in .htaccess of this folder allows programs.

echo "Content-Type: text/plain"
echo
echo "Well done: ExecCGI is on now."
