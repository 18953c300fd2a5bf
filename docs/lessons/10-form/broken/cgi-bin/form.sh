#!/bin/sh
echo "Content-Type: text/plain"
echo
echo "The form sent: $QUERY_STRING"
