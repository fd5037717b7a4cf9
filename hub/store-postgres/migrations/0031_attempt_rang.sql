-- When an attempt first rang, or was answered: from then on it counts in the caps. What ended before is read by its result.
alter table attempt add column rang_at timestamptz;
