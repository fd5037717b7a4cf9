-- Slots that are offered in calls that are up: asked for with every decision to dial, and by every page of a ticket.
create index attempt_offers on attempt (tenant, offered_service_point, offered_start) where state <> 'ended';
