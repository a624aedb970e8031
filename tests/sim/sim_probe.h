/*
 * The probe asks a kernel what sockets and epoll sets do, and prints the answers.  sim_probe.c has
 * the questions; sim_probe_real.c and sim_probe_fake.c say on which kernel they are asked.
 */
#ifndef SIM_PROBE_H
#define SIM_PROBE_H

void probe_run(const char *unix_path);

/* Lets everything that is under way arrive. */
void probe_settle(void);

#endif
