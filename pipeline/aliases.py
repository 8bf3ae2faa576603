"""Keys that mean the same entity, across the whole warehouse: a view, so it is never stale and no row is rewritten.

Only evidence that is safe counts: a wrong link would join two people in every count. What a key already leaves out
(case, accents, hyphens, middle initials, `Ltd`) needs no alias.
"""

ALIASES = r"""
WITH names AS (
    SELECT label, text, name, key, external_id, country, count(DISTINCT article_id) AS articles,
        min(article_id) AS example
    FROM (SELECT article_id, unnest(entities, recursive := true) FROM articles)
    WHERE NOT regexp_matches(key, '@[0-9a-f]{32}$')
    GROUP BY ALL),
keys AS (SELECT key, label, count(*) AS articles, min(article_id) AS example FROM entities GROUP BY key, label),
declared AS (
    SELECT label || ':' || lower(replace(text, '.', '')) AS key, key AS same_as, sum(articles) AS articles,
        min(example) AS example
    FROM names
    WHERE regexp_full_match(text, '([A-Z&]\.?){2,10}') AND text <> name AND external_id IS NULL AND country IS NULL
    GROUP BY ALL),
acronyms AS (
    SELECT * FROM declared QUALIFY articles > 1 AND articles >= 0.9 * sum(articles) OVER (PARTITION BY key)),
transcribed AS (
    SELECT key, label || ':' || lower(strip_accents(replace(replace(replace(lower(name), 'ä', 'ae'), 'ö', 'oe'), 'ü',
        'ue'))) AS same_as, sum(articles) AS articles, min(example) AS example
    FROM names
    WHERE regexp_matches(name, '[äöüÄÖÜ]') AND external_id IS NULL
    GROUP BY ALL),
spellings AS (
    SELECT key, first_value(key) OVER same AS same_as, articles, example
    FROM keys
    WHERE label IN ('PERSON', 'ORG', 'GPE', 'LOC', 'FAC') AND length(key) > 10 AND NOT contains(key, '@')
    WINDOW same AS (PARTITION BY replace(replace(key, '&', 'and'), ' ', '') ORDER BY articles DESC, key)),
listed AS (
    SELECT own.key, min(theirs.key) AS same_as, sum(theirs.articles) AS articles, min(theirs.example) AS example
    FROM names AS own JOIN names AS theirs USING (label, text)
    WHERE own.external_id IS NULL AND own.name = own.text AND theirs.external_id IS NOT NULL
    GROUP BY own.key HAVING count(DISTINCT theirs.key) = 1),
links AS (
    SELECT *, 'gazetteer' AS evidence, 1 AS rank FROM listed
    UNION ALL SELECT *, 'acronym', 2 FROM acronyms
    UNION ALL SELECT *, 'spelling', 3 FROM spellings
    UNION ALL SELECT *, 'umlaut', 4 FROM transcribed),
best AS (
    SELECT key, same_as, evidence, articles::BIGINT AS articles, example FROM links
    WHERE key <> same_as AND key IN (SELECT key FROM keys) AND same_as IN (SELECT key FROM keys)
    QUALIFY 1 = row_number() OVER (PARTITION BY key ORDER BY rank, articles DESC, same_as))
SELECT one.key, coalesce(third.same_as, second.same_as, one.same_as) AS same_as, one.evidence, one.articles, one.example
FROM best AS one
LEFT JOIN best AS second ON second.key = one.same_as
LEFT JOIN best AS third ON third.key = second.same_as
WHERE coalesce(third.same_as, second.same_as, one.same_as) <> one.key
""".strip()
"""A row for each key that has another name: the key that it is the same as, why, in how many articles that shows, and
an article that does."""

LINKED_ENTITIES = """
SELECT entities.*, coalesce(aliases.same_as, entities.key) AS entity
FROM entities LEFT JOIN aliases ON aliases.key = entities.key
""".strip()
"""`entities`, with the key that stands for all aliases of the entity."""
