/*
 * Hashes of the password "secret" by each method that libcrypt of Debian 12 has, cheap to check.
 */
#ifndef PX_TESTS_UNIT_GATE_HASHES_H
#define PX_TESTS_UNIT_GATE_HASHES_H

#define HASH_BCRYPT "$2y$04$ozVXPYgty45XXVBBKVeV9.g1g8l3HoXKr11f3Tv4wbBahtCt/Mq9q"
#define HASH_SHA256 "$5$rounds=1000$HlMrDE9mtGAewK.J$yKLIswjc3OEG.uCW54Bn0nTu6dfhGdlQfgTXpwGIb04"
#define HASH_SHA512                                                                        \
    "$6$rounds=1000$EE8s63lJzCuxmCL2$0oOQO8GAVjcsuwGE4COYITNlPAKnVZvuQ3DSCttlhYr5wu9EL51O" \
    "2zk7fyc5N2C6/LMqII0XIfzVASJcw.wpJ/"
#define HASH_YESCRYPT "$y$j75$MFqKLuXN91n4ZdwZoscJE.$Yw/57f1zD5uprH74VlgZXo/rHx/SZphmjdo/sh8kQF9"
#define HASH_GOST "$gy$j75$7rphW0zeBDEH.Qn6Hq9ju.$LmFpC9xKT6pcQDtPpKL.ejPhAvvuFAF59NLYIBqMpc7"
#define HASH_SCRYPT \
    "$7$BU..../....zJctLFpDJyUm/O32Q4e.E0$9p.Eo6T53LGVElo5HjEeW/Wp7jvoQMC6f0mB0Sr3f45"
#define HASH_MD5 "$1$TtqYGGjw$i8.ZHnyAi8JZhPOroUejB."

#endif
