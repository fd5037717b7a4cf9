-- A tenant's rules for calls. "Contact plan" stays free for the plan that a supervisor approves.
alter table tenant rename column contact_plan to call_rules;
