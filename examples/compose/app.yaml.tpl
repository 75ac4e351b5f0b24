database:
  password: {{ credstash://prod.api.db-password | json }}
