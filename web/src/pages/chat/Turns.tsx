/** Everything that shows what was said. Whoever begins anew has nothing of that yet: it is fetched when it is needed. */
export { LiveTurn } from './LiveTurn';
export { AnswerView, QuestionView } from './Messages';
export { Rows } from './Rows';
