#include "plan.h"
#include "args.h"
#include "board.h"

plan_type plan;

void plan_topic(char *room, const char *rest) {
    room[0] = 0;
    text_append(room, TOPIC_MAX, "d/");
    text_append(room, TOPIC_MAX, plan.device);
    text_append(room, TOPIC_MAX, rest);
}

uint64_t uptime(void) {
    return plan.past * STEP_MS + board_ms();
}

_Noreturn void give_up(const char *why) {
    board_say(why);
    board_exit(2);
}

static void read_secrets(const char *line) {
    char secret[SECRET_MAX];
    if (args_text(line, "secret", secret, sizeof secret)) {
        plan.secret_len = text_len(secret);
        for (size_t i = 0; i < plan.secret_len; i++) {
            plan.secret[i] = (uint8_t)secret[i];
        }
    }
    /* One that is not there stays empty. */
    args_text(line, "claim", plan.claim, sizeof plan.claim);
    args_text(line, "group", plan.group, sizeof plan.group);
    args_text(line, "flash", plan.flash, sizeof plan.flash);
    bool is_new = plan.flash[0] && (plan.claim[0] || plan.group[0]);
    if (plan.secret_len == 0 && !is_new) {
        give_up("there is no secret, and no way to one: see main.c\n");
    }
}

void plan_read(void) {
    board_command_line(plan.line, sizeof plan.line);
    const char *line = plan.line;
    if (!args_text(line, "user", plan.user, sizeof plan.user)) {
        give_up("arguments are missing: see main.c\n");
    }
    const char *device = plan.user;
    while (*device && *device != '/') {
        device++;
    }
    if (*device) {
        text_append(plan.device, sizeof plan.device, device + 1);
    }
    read_secrets(line);
    plan_topic(plan.commands, "/c/+");
    plan_topic(plan.telemetry, "/t");
    plan_topic(plan.events, "/e");
    plan_topic(plan.state, "/s");
    /* Each further start has a number of its own. */
    plan.boot = args_number(line, "boot", 1) + board_starts();
    plan.seed = (uint32_t)args_number(line, "seed", 1) + board_starts();
    plan.past = args_number(line, "past", 0);
    plan.count = args_number(line, "count", UINT64_MAX);
    plan.period_ms = args_number(line, "period_ms", 1000);
    plan.event_at = args_number(line, "event_at", UINT64_MAX);
    plan.backoff_cap_ms = (uint32_t)args_number(line, "backoff_cap_ms", 300000);
    plan.has_sensors = args_number(line, "sensors", 0) != 0;
    plan.pump.unit = args_number(line, "unit", 1);
    plan.pump.worn_from = args_number(line, "worn_from", UINT64_MAX);
}
