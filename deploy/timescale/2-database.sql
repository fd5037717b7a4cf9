-- As a superuser, in the database `forecall`, before the hub starts there for the first time.

create extension if not exists timescaledb;
