//! One end of a conversation: the BITS upload server and the client that we play ourselves. hyper lives here.
