-- A visit is a thing of its own: what was agreed, and what has become of it. Ids of a ticket's visits count up from the ticket's.
create table appointment (
    id            uuid primary key,
    tenant        text not null references tenant,
    ticket        uuid not null references ticket,
    state         text not null,
    slot_start    timestamptz not null,
    slot_end      timestamptz not null,
    service_point text not null,
    agreed_by     text not null,
    made_at       timestamptz not null,
    changed_at    timestamptz not null
);
-- What tickets knew of their visits. A ticket that was closed as by a technician had its visit, another
-- closed one ended without it; when it was agreed, the timeline says.
insert into appointment
select t.id, t.tenant, t.id, case when t.closed_at is null then 'confirmed'
        when t.outcome->>'resolution' in ('confirmed_fixed', 'no_fault_found') then 'done' else 'cancelled' end, t.visit_start, t.visit_end,
    t.visit_service_point, t.visit_agreed_by, coalesce(agreed.first, t.opened_at),
    coalesce(t.closed_at, agreed.last, t.opened_at)
from ticket t
    cross join lateral (
        select min(at) as first, max(at) as last from timeline
        where ticket = t.id and (event->>'event' = 'booked'
            or event->>'event' = 'chose' and event->>'disposition' = 'appointment_booked')) agreed
where t.visit_start is not null;
-- The newest visit of a ticket; one at most that stands; places taken in a slot; the visits of a day.
create index appointment_of_ticket on appointment (ticket, id);
create unique index appointment_stands_once on appointment (ticket)
    where state in ('proposed', 'confirmed', 'moved', 'en_route');
create index appointment_places on appointment (tenant, service_point, slot_start)
    where state in ('proposed', 'confirmed', 'moved', 'en_route');
create index appointment_by_start on appointment (slot_start, id);
alter table ticket
    drop column visit_start,
    drop column visit_end,
    drop column visit_service_point,
    drop column visit_agreed_by;

-- The wall between tenants, as 0008 has it.
create policy tenant on appointment
    using (nullif(current_setting('forecall.tenant', true), '') is null or tenant = current_setting('forecall.tenant', true));
alter table appointment enable row level security, force row level security;
