//! A simulated phone: the owner as a real SIP user agent.
