#!/usr/bin/python3
print("Content-Type: text/html\r\n\r\n", end="")
print("Hello from a program")
