/* SPDX-License-Identifier: GPL-2.0-only */
/* sock_diag for AF_VSOCK. */
#ifndef GLASS_DIAG_H
#define GLASS_DIAG_H

/* May sleep.  -EBUSY if another driver answers for the family. */
int __init glass_diag_init(void);
void glass_diag_exit(void);

#endif /* GLASS_DIAG_H */
