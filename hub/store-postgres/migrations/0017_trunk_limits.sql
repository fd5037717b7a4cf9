-- How long a trunk is waited for before anything rings: without any answer, and after it has taken the call.
alter table trunk
    add column post_dial_limit_s smallint not null default 6,
    add column trying_limit_s smallint not null default 20;
