-- A ticket's status (category and label), the thread of its contact, and its kind each have columns of their own; so far one word
-- said where the call about it stood. A call about a ticket with a visit does not end the waiting for the visit. Only a ticket that was opened for a finding has a fault. Labels are the tenant's, as it declares them.
alter table tenant add column ticket_status jsonb not null default '[]';

drop index ticket_open_once;
drop index ticket_contact_due;
alter table ticket rename column held to contact_reason;
alter table ticket rename column call_requested_by to contact_requested_by;
alter table ticket
    add column kind text not null default 'predicted_fault',
    add column category text not null default 'open',
    add column label text not null default 'open',
    add column contact_phase text not null default 'held',
    add column promise jsonb,
    alter column finding drop not null,
    alter column fault_class drop not null,
    alter column severity drop not null;
update ticket set
    category = case when state = 'closed' then 'resolved'
        when state = 'appointment' or visit_start is not null and state in ('contact_planned', 'contacting') then 'paused' else 'open' end,
    label = case when state = 'closed' then 'closed'
        when state = 'appointment' or visit_start is not null and state in ('contact_planned', 'contacting') then 'waiting' else 'open' end,
    contact_phase = case state when 'contact_planned' then 'planned' when 'contacting' then 'in_call'
        when 'person_needed' then 'held' else 'done' end;
alter table ticket
    drop column state,
    alter column kind drop default,
    alter column category drop default,
    alter column label drop default,
    alter column contact_phase drop default,
    add constraint ticket_fault_is_whole check (num_nonnulls(finding, fault_class, severity) in (0, 3));

-- Tickets without a fault are apart from each other: no fault class is as another.
create unique index ticket_open_once on ticket (appliance, fault_class) where category <> 'resolved';
create index ticket_contact_due on ticket (contact_due) where contact_phase = 'planned';
