//! Objects from the transport's side: tables of calls and answers, a random history against a model, real threads.
