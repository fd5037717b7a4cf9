-- Findings that wait for the end of a cool-down: looked at with every scored batch.
create index finding_due on finding (suppressed_until) where state = 'open' and ticket is null;
