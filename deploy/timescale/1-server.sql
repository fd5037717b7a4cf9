-- As a superuser, in any database of the server.

-- The hub: it owns its database and nothing else. Give it a password: \password forecall
create role forecall login;
create database forecall owner forecall;
