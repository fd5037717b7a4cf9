-- What people made of predictions, by tenant, model and fault class: verdicts of closed tickets, and calls that were approved or refused.
-- It is counted with each step of a ticket, so that nothing is counted when a call is due. A ticket keeps what its verdict is counted
-- for: a correction takes it back from there.
create table release_tally (
    tenant      text not null references tenant,
    model       text not null,
    fault_class text not null,
    was_right   bigint not null default 0,
    was_wrong   bigint not null default 0,
    approved    bigint not null default 0,
    refused     bigint not null default 0,
    primary key (tenant, model, fault_class)
);
alter table ticket
    add column judged jsonb,
    add column contact_approved_by text;

-- What was closed so far counts too.
update ticket t
set judged = jsonb_build_object('model', f.prediction->>'model', 'fault_class', f.fault_class)
from finding f where f.id = t.finding and t.outcome is not null;
insert into release_tally (tenant, model, fault_class, was_right, was_wrong)
select tenant, judged->>'model', judged->>'fault_class', count(*) filter (where outcome->>'verdict' = 'right'),
    count(*) filter (where outcome->>'verdict' in ('wrong', 'other_fault'))
from ticket where judged is not null and outcome->>'verdict' <> 'not_checked' group by 1, 2, 3;

-- What waited below the gate for a fault that has gone by now waits for nobody's approval.
update ticket t set contact_reason = 'finding_cleared'
from finding f where f.id = t.finding and t.contact_phase = 'held' and t.contact_reason = 'below_gate' and f.state = 'cleared';

-- A tenant's tickets that wait for a person's approval, the longest first.
create index ticket_ready on ticket (tenant, id) where contact_phase = 'held' and contact_reason in ('below_gate', 'ready_to_ring', 'no_call_level', 'below_call_level');

-- The wall between tenants, as 0008 has it.
create policy tenant on release_tally
    using (nullif(current_setting('forecall.tenant', true), '') is null or tenant = current_setting('forecall.tenant', true));
alter table release_tally enable row level security, force row level security;
