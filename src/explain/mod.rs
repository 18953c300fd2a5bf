//! A decision and its trace, told to a person.
