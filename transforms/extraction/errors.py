"""What is raised for a page that makes no article."""

from schemas.records import Problem


class NotAnArticle(Exception):
    """Raised for a page that makes no article; carries a Problem whose error_class says what it is, or why."""

    def __init__(self, error_class: str, error: str) -> None:
        super().__init__(error)
        self.problem = Problem(error_class, error)
