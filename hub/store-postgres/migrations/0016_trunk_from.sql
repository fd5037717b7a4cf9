-- Whether a caller is taken for who From says where the trunk asserts nobody.
alter table trunk add column believe_from boolean not null default false;
