//! The subcommands and shared options, nothing else. The only room that knows everybody.
