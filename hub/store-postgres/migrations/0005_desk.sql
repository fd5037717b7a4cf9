-- What people look at -------------------------------------------------------------------------------------------------

create index quarantine_by_appliance on quarantine (appliance, number);
create index command_by_appliance on command (appliance, number);
