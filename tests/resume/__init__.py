"""Never twice, never lost: uploads that are killed, broken, repeated and resumed."""
