-- A ticket has two promises, a person's and a call's: the one that is due first stands in `promise`, as before, the other one here.
alter table ticket add column next_promise jsonb;
