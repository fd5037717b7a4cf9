-- For a device that comes while millions of late rows of others wait: its own among them, and none of theirs.
create index late_of_appliance on late (appliance, ingest_no);
