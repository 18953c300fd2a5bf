#!/usr/bin/pyton3
print("Content-Type: text/plain")
print()
print("Hello from a program")
