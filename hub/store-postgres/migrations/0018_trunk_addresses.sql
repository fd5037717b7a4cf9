-- Further addresses that a carrier sends from; nothing is taken from others.
alter table trunk add column addresses jsonb not null default '[]';
